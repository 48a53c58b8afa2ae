#include "pipedream/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "pipedream/error.h"
#include "runtime/parameter_names.h"
#include "transport/agreement.h"
#include "verify/replay.h"

namespace pipedream {
namespace {

using detail::Replay;

// 0 where all bits agree, infinity where shapes differ, one is missing or not a number.
double relative_difference(const torch::Tensor& actual, const torch::Tensor& expected) {
  if (!actual.defined() && !expected.defined()) return 0;
  if (!actual.defined() || !expected.defined()) {
    const torch::Tensor& other = actual.defined() ? actual : expected;
    return other.count_nonzero().item<std::int64_t>() == 0 ? 0 : std::numeric_limits<double>::infinity();
  }
  if (actual.sizes() != expected.sizes()) return std::numeric_limits<double>::infinity();
  if (torch::equal(actual, expected)) return 0;
  const torch::Tensor wanted = expected.to(torch::kDouble);
  const double distance = (actual.to(torch::kDouble) - wanted).norm().item<double>();
  if (!std::isfinite(distance)) return std::numeric_limits<double>::infinity();
  return distance / std::max(wanted.norm().item<double>(), std::numeric_limits<double>::min());
}

// What two runs are compared by, and where the greatest differences are.
class Comparison {
 public:
  Comparison(const LayerGraph& graph, const Plan& plan, double tolerance)
      : names_(graph.layer_names()), tolerance_(tolerance) {
    for (std::size_t s = 0; s < plan.stages.size(); ++s) {
      for (const std::string& layer : plan.stages[s].layers) stage_of_[layer] = static_cast<int>(s);
    }
  }

  // The layer is that of the tensor where it is left out.
  void add(Deviation deviation) {
    if (deviation.layer.empty()) {
      deviation.layer =
          detail::layer_of(deviation.tensor, [&](const std::string& name) { return stage_of_.contains(name); });
    }
    double& greatest = greatest_[{deviation.layer, deviation.kind}];
    greatest = std::max(greatest, deviation.relative);
    if (deviation.relative <= tolerance_) return;
    if (!first_ || order(deviation) < order(*first_)) first_ = std::move(deviation);
  }

  void add_tensors(Deviation::Kind kind, std::int64_t microbatch, const NamedTensors& actual,
                   const NamedTensors& expected) {
    for (const auto& [name, tensor] : actual) {
      add({kind, microbatch, "", name, relative_difference(tensor, expected.at(name))});
    }
  }

  VerifyReport report(std::int64_t microbatches) const {
    VerifyReport report;
    report.microbatches = microbatches;
    report.first = first_;
    for (const std::string& layer : names_) {
      const auto find = [&](Deviation::Kind kind) { return greatest_.find({layer, kind}); };
      if (const auto loss = find(Deviation::Kind::loss); loss != greatest_.end()) report.loss = loss->second;
      const auto gradient = find(Deviation::Kind::gradient);
      const auto weights = find(Deviation::Kind::weights);
      if (gradient == greatest_.end() && weights == greatest_.end()) continue;
      report.layers.push_back({layer, stage_of_.at(layer), gradient == greatest_.end() ? 0 : gradient->second,
                               weights == greatest_.end() ? 0 : weights->second});
    }
    return report;
  }

 private:
  // Values in the order in which they are computed: a microbatch's loss, then gradients from the last layer to the
  // first; at the end the weights.
  std::tuple<std::int64_t, int, std::ptrdiff_t> order(const Deviation& deviation) const {
    const std::ptrdiff_t place = std::find(names_.begin(), names_.end(), deviation.layer) - names_.begin();
    return {deviation.microbatch, static_cast<int>(deviation.kind),
            deviation.kind == Deviation::Kind::gradient ? -place : place};
  }

  std::vector<std::string> names_;
  double tolerance_;
  std::map<std::string, int> stage_of_;
  std::map<std::pair<std::string, Deviation::Kind>, double> greatest_;
  std::optional<Deviation> first_;
};

Deviation loss_deviation(const LayerGraph& graph, std::int64_t microbatch, float actual, float expected) {
  return {Deviation::Kind::loss, microbatch, graph.loss_layer().name, "",
          relative_difference(torch::tensor(actual), torch::tensor(expected))};
}

nlohmann::json packed(const Deviation& d) {
  return {static_cast<int>(d.kind), d.microbatch, d.layer, d.tensor, d.relative};
}

Deviation unpacked(const nlohmann::json& j) {
  return {static_cast<Deviation::Kind>(j[0].get<int>()), j[1].get<std::int64_t>(), j[2].get<std::string>(),
          j[3].get<std::string>(), j[4].is_null() ? std::numeric_limits<double>::infinity() : j[4].get<double>()};
}

Replay make_replay(const LayerGraph& graph, const Plan& plan, const Dataset& data, const VerifyOptions& options) {
  CorrectionChoice choice = options.corrections.value_or(default_corrections(plan.algorithm));
  if (choice.annealing_microbatches == 0) choice.annealing_microbatches = options.microbatches / 4;
  Replay replay(graph, plan,
                {.optimizer = options.trainer.optimizer,
                 .seed = options.trainer.seed,
                 .microbatch_size = options.microbatch_size,
                 .shuffle = options.shuffle,
                 .record_gradients = true,
                 .corrections = choice,
                 .device = options.trainer.device});
  replay.train(data, options.microbatches);
  return replay;
}

// Whether the replay gives the same twice.
bool repeats(const LayerGraph& graph, const Plan& plan, const Replay& once, const Replay& again,
             std::int64_t microbatches) {
  Comparison comparison(graph, plan, 0);
  for (std::size_t k = 0; k < once.losses().size(); ++k) {
    comparison.add(loss_deviation(graph, static_cast<std::int64_t>(k), again.losses()[k], once.losses()[k]));
  }
  for (int s = 0; s < static_cast<int>(plan.stages.size()); ++s) {
    for (std::int64_t k = 0; k < microbatches; ++k) {
      comparison.add_tensors(Deviation::Kind::gradient, k, again.gradients(s, k), once.gradients(s, k));
    }
  }
  return !comparison.report(microbatches).first;
}

// What this worker trained, against the replay.
std::vector<Deviation> deviations(const LayerGraph& graph, Trainer& trainer, const TrainResult& result,
                                  const Replay& expected) {
  std::vector<Deviation> found;
  const auto losses = static_cast<std::int64_t>(result.losses.size());
  for (std::int64_t k = 0; k < losses; ++k) {
    const auto i = static_cast<std::size_t>(k);
    found.push_back(loss_deviation(graph, k, result.losses[i], expected.losses()[i]));
  }
  const auto add = [&](Deviation::Kind kind, std::int64_t k, const std::string& tensor, double relative) {
    found.push_back({kind, k, "", tensor, relative});
  };
  for (const int stage : trainer.stages()) {
    for (const auto& [k, gradients] : trainer.gradients(stage)) {
      for (const auto& [tensor, gradient] : gradients) {
        add(Deviation::Kind::gradient, k, tensor,
            relative_difference(gradient, expected.gradients(stage, k).at(tensor)));
      }
    }
  }
  const NamedTensors expected_weights = expected.weights();
  for (const auto& [tensor, value] : trainer.weights()) {
    add(Deviation::Kind::weights, losses, tensor,
        relative_difference(value, expected_weights.at(tensor).to(value.device())));
  }
  return found;
}

void check(const VerifyOptions& options) {
  if (options.microbatches < 1) {
    throw ConfigError(fmt::format("{} microbatches to verify; at least 1 is needed", options.microbatches));
  }
  if (!(options.tolerance >= 0)) {
    throw ConfigError(fmt::format("a tolerance of {}; it must be 0 or more", options.tolerance));
  }
}

}  // namespace

VerifyReport verify(const LayerGraph& graph, const Plan& plan, const Dataset& data, Communicator& comm,
                    const VerifyOptions& options) {
  detail::agree(comm, [&]() -> detail::Facts {
    check(options);
    return {{"microbatches to verify", std::to_string(options.microbatches)},
            {"tolerance", fmt::format("{}", options.tolerance)}};
  });
  TrainerOptions trainer_options = options.trainer;
  if (options.corrections) trainer_options.corrections = corrections(*options.corrections);
  Trainer trainer(graph, plan, comm, trainer_options);
  trainer.record_gradients(true);
  const TrainResult result = trainer.train(
      data, {.steps = options.microbatches, .microbatch_size = options.microbatch_size, .shuffle = options.shuffle});
  const Replay expected = make_replay(graph, plan, data, options);

  auto own = nlohmann::json::array();
  for (const Deviation& deviation : deviations(graph, trainer, result, expected)) own.push_back(packed(deviation));
  Comparison comparison(graph, plan, options.tolerance);
  for (const std::string& text : comm.all_gather(own.dump())) {
    for (const auto& item : nlohmann::json::parse(text)) comparison.add(unpacked(item));
  }
  VerifyReport report = comparison.report(options.microbatches);
  if (!report.passed()) {
    report.model_repeats =
        repeats(graph, plan, expected, make_replay(graph, plan, data, options), options.microbatches);
  }
  return report;
}

}  // namespace pipedream
