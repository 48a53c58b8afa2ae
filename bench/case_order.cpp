#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "../examples/digits_data.h"
#include "../examples/digits_network.h"
#include "cases.h"
#include "pipedream/timeline.h"
#include "pipedream/trainer.h"
#include "pipeline.h"
#include "prediction.h"

namespace pipedream::bench {
namespace {

using std::chrono::milliseconds;

// Predictions that are closer than this say nothing about an order.
constexpr double kApart = 1.1;

struct Shape {
  std::vector<int> replicas;
  std::vector<double> shares;  // of the model's time, by stage, in any unit; empty: as many as replicas
};

// Good ones and bad ones.
std::vector<Shape> shapes(int workers) {
  if (workers == 2) return {{{2}, {}}, {{1, 1}, {}}, {{1, 1}, {1, 3}}, {{1, 1}, {3, 1}}, {{1, 1}, {1, 8}}};
  if (workers == 3)
    return {{{3}, {}}, {{1, 1, 1}, {}}, {{2, 1}, {}}, {{1, 2}, {}}, {{1, 1, 1}, {3, 1, 1}}, {{2, 1}, {1, 1}}};
  std::vector<Shape> result = {{{workers}, {}}, {std::vector<int>(static_cast<std::size_t>(workers), 1), {}}};
  result.push_back({{workers - 1, 1}, {}});
  result.push_back({{workers / 2, workers - workers / 2}, {}});
  result.push_back({{1, workers - 1}, {1, 1}});
  result.push_back({{workers - 2, 1, 1}, {}});
  return result;
}

std::string name_of(const Shape& shape) {
  const std::string replicas = fmt::format("{}", fmt::join(shape.replicas, "-"));
  return shape.shares.empty() ? replicas : fmt::format("{} cut at {}", replicas, fmt::join(shape.shares, ":"));
}

// A stage ends with the layer that is nearest to its share of the time.
Plan plan_of(const Shape& shape, const Profile& profile) {
  std::vector<double> shares = shape.shares;
  if (shares.empty()) shares.assign(shape.replicas.begin(), shape.replicas.end());
  const double all_shares = std::accumulate(shares.begin(), shares.end(), 0.0);
  std::vector<double> until_us = {0};
  for (const LayerProfile& layer : profile.layers) {
    until_us.push_back(until_us.back() + layer.forward_us + layer.backward_us);
  }
  Plan plan;
  std::size_t next = 0;
  double share = 0;
  int worker = 0;
  const std::vector<int> warmup = default_warmup(shape.replicas);
  for (std::size_t s = 0; s < shape.replicas.size(); ++s) {
    share += shares[s];
    const std::size_t later_stages = shape.replicas.size() - 1 - s;
    const double end_us = until_us.back() * share / all_shares;
    StagePlan& stage = plan.stages.emplace_back();
    do {
      stage.layers.push_back(profile.layers[next++].name);
    } while (next + later_stages < profile.layers.size() &&
             (later_stages == 0 || std::abs(until_us[next + 1] - end_us) < std::abs(until_us[next] - end_us)));
    for (int q = 0; q < shape.replicas[s]; ++q) stage.workers.push_back(worker++);
    // One more than the least: who is late now and then stops nobody.
    stage.warmup = warmup[s] + (later_stages > 0 ? 1 : 0);
    stage.reduce_delay = stage.replicas() > 1 && shape.replicas.size() > 1 ? 1 : 0;
  }
  return plan;
}

// The steady state of a run.
double microbatch_us(Communicator& comm, const Workload& work, std::int64_t microbatches) {
  Trainer trainer(work.graph, work.plan, comm, {.optimizer = sgd({.learning_rate = 0.001})});
  trainer.train(*work.data, {.steps = microbatches, .microbatch_size = work.microbatch_size, .shuffle = false});
  return summarize(trainer.timeline(), work.plan).microbatch_us;
}

// Of the pairs of plans that are predicted to be apart, those whose slower one is slower.
std::vector<Figure> order_figures(const std::vector<double>& predicted, const std::vector<Figure>& measured) {
  double pairs = 0;
  double agree = 0;
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    for (std::size_t j = 0; j < predicted.size(); ++j) {
      if (predicted[i] < kApart * predicted[j]) continue;
      ++pairs;
      if (measured[i].median() > measured[j].median()) ++agree;
    }
  }
  return {{"agreement", "", {pairs > 0 ? agree / pairs : 1}}, {"pairs", "", {pairs}}};
}

std::vector<Result> compare_plans(Communicator& comm, const Options& options, Workload work, const std::string& model,
                                  std::int64_t microbatches) {
  const Profile profile = profile_of(comm, work, options.quick ? 1 : 11);
  const std::vector<Shape> candidates = shapes(comm.size());
  std::vector<double> predicted;
  std::vector<Figure> measured(candidates.size(), {"microbatch", "us", {}});
  for (int sample = 0; sample <= options.samples; ++sample) {
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      work.plan = plan_of(candidates[c], profile);
      if (sample == 0) {  // what allocates and loads at its first call does it now
        predicted.push_back(simulated_run(work, microbatches, profile, profile.topology).microbatch_us);
        microbatch_us(comm, work, std::max<std::int64_t>(1, microbatches / 4));
      } else {
        measured[c].samples.push_back(microbatch_us(comm, work, microbatches));
      }
    }
  }
  if (comm.rank() != 0) return {};
  std::vector<Result> results;
  const auto add = [&](const Presentation& presentation, std::vector<Figure> figures) {
    for (Result& one : present(comm, options, presentation, std::move(figures))) results.push_back(std::move(one));
  };
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    std::vector<Figure> figures = {measured[c]};
    add_prediction(figures, "microbatch", predicted[c]);
    add({.case_name = "order",
         .setting = "Plans: workers by stage; PipeDream, warm-up one deeper than the least",
         .what = fmt::format("{}, {}", model, name_of(candidates[c]))},
        std::move(figures));
  }
  add({.case_name = "order",
       .setting = "Order: the share of the pairs predicted to be 10% apart or more of which the faster one is faster",
       .goals = {{"agreement", Limit::at_least, 1}},
       .what = model},
      order_figures(predicted, measured));
  return results;
}

Workload digits_work() {
  Workload work;
  work.graph = digits();
  work.data = digits_train();
  work.microbatch_size = 16;
  return work;
}

}  // namespace

// The deeper chain has 24 layers and the loss. With more workers than 2 the layers wait as long as they were measured,
// in proportion.
std::vector<Result> run_order(Communicator& comm, const Options& options) {
  std::vector<Result> results;
  const bool emulates = comm.size() > 2;
  for (const bool deep : {false, true}) {
    Workload work = deep ? compute_bound(1) : digits_work();
    std::string model = deep ? "chain of 25" : "digits";
    std::int64_t microbatches = deep || emulates ? 40 : 400;
    if (emulates) {
      model += ", emulated";
      work = emulated_like(profile_of(comm, work, options.quick ? 1 : 11), milliseconds(options.quick ? 20 : 120));
    }
    if (options.quick) microbatches = 8;
    for (Result& one : compare_plans(comm, options, std::move(work), model, microbatches)) {
      results.push_back(std::move(one));
    }
  }
  return results;
}

}  // namespace pipedream::bench
