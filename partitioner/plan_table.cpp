#include "partitioner/plan_table.h"

#include <fmt/format.h>

#include <set>
#include <vector>

#include "partitioner/units.h"
#include "pipedream/cost_model.h"
#include "planning/text_table.h"

namespace pipedream {
namespace {

using Row = detail::TableRow;

constexpr int kServersColumn = 3;  // where a plan knows them

std::string bytes(std::int64_t value) { return value > 0 ? detail::format_bytes(value) : "-"; }

std::string time(double us) { return us > 0 ? detail::format_microseconds(us) : "-"; }

std::string shortened(const std::vector<std::string>& layers) {
  if (layers.size() == 1) return layers.front();
  return fmt::format("{} .. {} ({})", layers.front(), layers.back(), layers.size());
}

// "0-2" for a run of numbers, "0,2" otherwise.
std::string number_list(const std::vector<int>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    text += text.empty() ? "" : ",";
    text += last == i ? fmt::format("{}", numbers[i]) : fmt::format("{}-{}", numbers[i], numbers[last]);
    i = last + 1;
  }
  return text;
}

std::string server_list(const StagePlan& stage, const PlanPlacement& placement) {
  std::set<int> servers;
  for (const int worker : stage.workers) servers.insert(placement.servers[static_cast<std::size_t>(worker)]);
  return number_list({servers.begin(), servers.end()});
}

Row stage_row(std::size_t index, const StagePlan& stage, const PlanPlacement& placement) {
  Row row = {fmt::format("{}", index),
             shortened(stage.layers),
             number_list(stage.workers),
             fmt::format("{}", stage.warmup),
             fmt::format("{}", stage.reduce_delay),
             stage.recompute ? "yes" : "no"};
  if (!placement.empty()) row.insert(row.begin() + kServersColumn, server_list(stage, placement));
  return row;
}

Row predicted_row(std::size_t index, const StagePrediction& expected) {
  return {fmt::format("{}", index),        time(expected.forward_us),          time(expected.backward_us),
          time(expected.allreduce_us),     bytes(expected.send_forward_bytes), bytes(expected.send_backward_bytes),
          bytes(expected.parameter_bytes), bytes(expected.memory_bytes)};
}

// Two tables: one line of both is wider than a terminal.
std::string stage_tables(const Plan& plan) {
  std::vector<Row> stages = {{"stage", "layers", "workers", "warm-up", "delay", "recompute"}};
  std::vector<Row> predicted = {{"stage", "forward", "backward", "reduce", "sends", "returns", "parameters", "memory"}};
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    stages.push_back(stage_row(s, plan.stages[s], plan.placement));
    predicted.push_back(predicted_row(s, plan.stages[s].prediction));
  }
  const bool has_servers = !plan.placement.empty();
  if (has_servers) stages.front().insert(stages.front().begin() + kServersColumn, "servers");
  std::string text = detail::text_table(stages, has_servers ? 4 : 3);
  if (plan.prediction.microbatch_us > 0) text += "\n" + detail::text_table(predicted, 1);
  return text;
}

Row alternative(const char* name, double us, double plan_us) {
  if (us <= 0) return {name, "-", "-"};
  return {name, time(us), fmt::format("{:.2f} x", us / plan_us)};
}

std::string expectation(const PlanPrediction& expected) {
  if (expected.microbatch_us <= 0) return "No prediction in this plan.\n";
  const std::vector<Row> rows = {
      {"expected", "per microbatch", "speed-up of this plan"},
      {"this plan", time(expected.microbatch_us), ""},
      alternative("one worker", expected.single_worker_us, expected.microbatch_us),
      alternative("data parallelism", expected.data_parallel_us, expected.microbatch_us),
      alternative("best straight plan", expected.best_straight_us, expected.microbatch_us),
  };
  return detail::text_table(rows, 1) + fmt::format("\nbound by {}\n", expected.bound_by);
}

// What each proposal would take, and which one led to the plan.
std::string proposal_table(const Plan& plan) {
  std::vector<Row> rows = {{"proposed by", "simulated", "speed-up of this plan"}};
  for (const SimulatedProposal& proposal : plan.search.proposals) {
    rows.push_back(alternative(proposal.name.c_str(), proposal.microbatch_us, plan.prediction.microbatch_us));
  }
  return "\n" + detail::text_table(rows, 1) + fmt::format("\nmade from what {} proposed\n", plan.search.proposal);
}

std::string search_note(const PlanSearch& search) {
  if (search.cost_model.empty()) return "";
  std::string note;
  const bool tells_itself = search.cost_model == to_string(CostModel::pipedream) || !search.proposals.empty();
  if (!tells_itself) {
    note = fmt::format("chosen by {}: {} per microbatch there\n", search.cost_model, time(search.bottleneck_us));
  }
  return search.contraction.empty() ? note : note + search.contraction + "\n";
}

}  // namespace

std::string count_of(std::int64_t number, std::string_view noun) {
  const std::string_view plural = number == 1 ? "" : noun.ends_with("ch") ? "es" : "s";
  return fmt::format("{} {}{}", number, noun, plural);
}

std::string plan_title(const Plan& plan) {
  std::string title =
      fmt::format("{}: {} on {}", to_string(plan.algorithm),
                  count_of(static_cast<std::int64_t>(plan.stages.size()), "stage"), count_of(plan.workers(), "worker"));
  if (plan.microbatches_per_update > 0) {
    title += fmt::format(", {} an update", count_of(plan.microbatches_per_update, "microbatch"));
  }
  if (!plan.graph_hash.empty()) title += fmt::format(", for model {}", plan.graph_hash);
  return title;
}

std::string plan_table(const Plan& plan) {
  return plan_title(plan) + "\n\n" + stage_tables(plan) + "\n" + expectation(plan.prediction) +
         search_note(plan.search) + (plan.search.proposals.empty() ? "" : proposal_table(plan));
}

}  // namespace pipedream
