#include "app/report.h"

#include <fmt/format.h>

#include <vector>

#include "app/console.h"
#include "partitioner/plan_table.h"
#include "partitioner/units.h"
#include "planning/text_table.h"

namespace pipedream::detail {
namespace {

std::string known_bytes(std::int64_t bytes) { return bytes > 0 ? format_bytes(bytes) : "-"; }

std::string known_us(double us) { return us > 0 ? format_microseconds(us) : "-"; }

std::string describe_difference(double relative) {
  return relative == 0 ? "every bit" : fmt::format("within {:.2g}", relative);
}

std::string describe_deviation(const Deviation& first) {
  switch (first.kind) {
    case Deviation::Kind::loss:
      return fmt::format("the loss of microbatch {}", first.microbatch);
    case Deviation::Kind::gradient:
      return fmt::format("the gradient of {} (layer {}) from microbatch {}", first.tensor, first.layer,
                         first.microbatch);
    case Deviation::Kind::weights:
      return fmt::format("{} (layer {}) after {} microbatches", first.tensor, first.layer, first.microbatch);
  }
  return "";
}

}  // namespace

std::string describe_profile(const Profile& profile) {
  std::vector<TableRow> rows{{"layer", "forward", "backward", "parameters", "kept for backward"}};
  double forward_us = 0;
  double backward_us = 0;
  for (const LayerProfile& layer : profile.layers) {
    rows.push_back({layer.name, known_us(layer.forward_us), known_us(layer.backward_us),
                    known_bytes(layer.parameter_bytes), known_bytes(layer.kept_bytes)});
    forward_us += layer.forward_us;
    backward_us += layer.backward_us;
  }
  rows.push_back({"sum", known_us(forward_us), known_us(backward_us)});
  rows.push_back({"whole model", known_us(profile.whole_forward_us), known_us(profile.whole_backward_us)});
  std::string text =
      fmt::format("profile on {}: microbatches of {}, {} worker(s) computing at once\n{}", profile.device,
                  profile.microbatch_size, profile.workers_computing, text_table(rows, 1));
  text += fmt::format("the sum of the layers differs from the whole by {:+.1f}%\n", 100 * sum_discrepancy(profile));
  for (const TopologyLevel& level : profile.topology.levels) {
    text += fmt::format("link between {} workers: {}, latency {}, all-reduce {}\n", level.count,
                        format_bytes_per_second(level.bandwidth_bytes_per_s), known_us(level.latency_us),
                        format_bytes_per_second(level.allreduce_bytes_per_s));
  }
  return text;
}

std::string describe_plan(const Plan& plan, std::int64_t microbatch_size) {
  std::string text = plan_table(plan);
  if (plan.prediction.microbatch_us > 0) {
    text += fmt::format("expected {} samples/s with microbatches of {}\n",
                        format_count(static_cast<double>(microbatch_size) * 1e6 / plan.prediction.microbatch_us),
                        microbatch_size);
  }
  return text + "\n";
}

std::string describe_training(const TrainResult& result) {
  return fmt::format(
      "{} {} microbatches, {} samples in {:.1f} s: {} samples/s; loss {:.4f} over the last epoch\n",
      result.stopped ? "stopped after" : "trained", format_count(static_cast<double>(result.microbatches)),
      format_count(static_cast<double>(result.samples)), result.seconds,
      format_count(result.seconds > 0 ? static_cast<double>(result.samples) / result.seconds : 0), result.mean_loss);
}

std::string describe_evaluation(const EvaluationResult& result) {
  std::string text = fmt::format("test: loss {:.4f}", result.loss);
  for (const auto& [name, value] : result.metrics) text += fmt::format(", {} {:.4f}", name, value);
  return text + fmt::format(" ({} samples)\n", format_count(static_cast<double>(result.samples)));
}

std::string describe_verification(const VerifyReport& report, const Plan& plan) {
  std::vector<TableRow> rows{{"layer", "stage", "gradients agree", "weights agree"}};
  for (const LayerVerdict& layer : report.layers) {
    rows.push_back({layer.layer, fmt::format("{}", layer.stage), describe_difference(layer.gradient),
                    describe_difference(layer.weights)});
  }
  std::string text = text_table(rows, 2);
  text += fmt::format("losses of {} microbatches agree: {}\n", report.microbatches, describe_difference(report.loss));
  if (report.passed()) {
    return text + fmt::format("verified: {} on {} worker(s) computes what one process computes by its definition\n",
                              to_string(plan.algorithm), plan.workers());
  }
  text += fmt::format("DIFFERS: {} is the first to be different, by {:.2g} of its size\n",
                      describe_deviation(*report.first), report.first->relative);
  return text + (report.model_repeats
                     ? "One process repeats its own result bit for bit: the difference comes from the pipeline.\n"
                     : "One process does not repeat its own result: a layer of the model does not compute the same "
                       "twice.\n");
}

}  // namespace pipedream::detail
