#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

#include "pipedream/cost_model.h"
#include "pipedream/error.h"
#include "pipedream/plan.h"
#include "planning/config_error.h"
#include "planning/plan_workers.h"
#include "planning/warmup.h"

namespace pipedream {
namespace {

using detail::throw_config_error;

void check_layers(const Plan& plan) {
  std::map<std::string, std::size_t> stage_of;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const auto& layers = plan.stages[s].layers;
    if (layers.empty()) throw_config_error("stages[{}].layers: the stage is empty", s);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (layers[i].empty()) throw_config_error("stages[{}].layers[{}]: a layer without a name", s, i);
      const auto [other, fresh] = stage_of.emplace(layers[i], s);
      if (!fresh)
        throw_config_error("stages[{}].layers[{}]: layer \"{}\" is already in stage {}", s, i, layers[i],
                           other->second);
    }
  }
}

void check_depths_reach(const Plan& plan) {
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    for (std::size_t t = s + 1; t < plan.stages.size(); ++t) {
      const StagePlan& late = plan.stages[t];
      const std::int64_t waited_for = detail::waited_for(late);
      const std::int64_t out = detail::let_out(plan.stages[s]);
      if (waited_for > out) {
        throw_config_error(
            "stages[{}].warmup: {} is too little: before a gradient comes back stage {} lets only {} microbatches "
            "out, and stage {} (replicas {}, warmup {}) waits for {}",
            s, plan.stages[s].warmup, s, out, t, late.replicas(), late.warmup, waited_for);
      }
    }
  }
}

void check_depths(const Plan& plan) {
  const AlgorithmTraits traits = traits_of(plan.algorithm);
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const StagePlan& stage = plan.stages[s];
    if (stage.warmup < 0) throw_config_error("stages[{}].warmup: must not be negative, found {}", s, stage.warmup);
    if (stage.warmup > 0 && !traits.has_warmup) {
      throw_config_error("stages[{}].warmup: must be 0 under {}, found {}", s, to_string(plan.algorithm), stage.warmup);
    }
    if (stage.warmup > 0 && s + 1 == plan.stages.size()) {
      throw_config_error("stages[{}].warmup: must be 0 in the last stage, which waits for nobody, found {}", s,
                         stage.warmup);
    }
    if (stage.reduce_delay != 0 && stage.reduce_delay != 1) {
      throw_config_error("stages[{}].reduce_delay: must be 0 or 1, found {}", s, stage.reduce_delay);
    }
    if (stage.reduce_delay == 1 && !traits.delays_reduction) {
      throw_config_error("stages[{}].reduce_delay: must be 0 under {}", s, to_string(plan.algorithm));
    }
    if (stage.recompute && traits.overwrites) {
      throw_config_error(
          "stages[{}].recompute: must be false under {}, whose backwards see other weights than their forwards; the "
          "algorithms that stash or flush can recompute",
          s, to_string(plan.algorithm));
    }
    if (stage.reduce_delay == 1 && stage.replicas() == 1) {
      throw_config_error("stages[{}].reduce_delay: must be 0 in a stage with one replica, which has nothing to reduce",
                         s);
    }
  }
  check_depths_reach(plan);
}

// Without a flush every replica has the same part in an update.
void check_whole_rounds(const Plan& plan) {
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const int replicas = plan.stages[s].replicas();
    if (plan.microbatches_per_update % replicas != 0) {
      throw_config_error("microbatches_per_update: {} is no multiple of the {} replicas of stage {}, which {} needs",
                         plan.microbatches_per_update, replicas, s, to_string(plan.algorithm));
    }
  }
}

// Each update waits for the one before the last, so what is in flight may not span more (PipeDream-2BW, section 3.1).
void check_two_bw(const Plan& plan) {
  const std::int64_t update = plan.microbatches_per_update;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const StagePlan& stage = plan.stages[s];
    const std::int64_t least = std::int64_t{stage.replicas()} * stage.warmup;
    if (update < least) {
      throw_config_error("microbatches_per_update: {} is less than {}, which stage {} (replicas {}, warmup {}) needs",
                         update, least, s, stage.replicas(), stage.warmup);
    }
  }
}

// Microbatches pass through a worker's stages in groups of as many as there are workers.
void check_interleaved(const Plan& plan) {
  const std::int64_t update = plan.microbatches_per_update;
  const std::int64_t workers = plan.workers();
  if (update % workers != 0) {
    throw_config_error("microbatches_per_update: {} is no multiple of the {} workers; {} would do", update, workers,
                       (update / workers + 1) * workers);
  }
}

void check_algorithm(const Plan& plan) {
  const std::string_view name = to_string(plan.algorithm);
  const std::int64_t update = plan.microbatches_per_update;
  if (update < 0)
    throw_config_error("microbatches_per_update: must not be negative, found {} (0: the default)", update);
  if (plan.algorithm == Algorithm::data_parallel && plan.stages.size() != 1) {
    throw_config_error("stages: {} has exactly one, found {}", name, plan.stages.size());
  }
  if (plan.algorithm == Algorithm::model_parallel) {
    for (std::size_t s = 0; s < plan.stages.size(); ++s) {
      const int replicas = plan.stages[s].replicas();
      if (replicas != 1)
        throw_config_error("stages[{}].workers: {} has no replicas, found {} workers", s, name, replicas);
    }
    if (update > 1) throw_config_error("microbatches_per_update: always 1 under {}, found {}", name, update);
  }
  const AlgorithmTraits traits = traits_of(plan.algorithm);
  if (!traits.flushes && traits.chooses_update && update > 0) check_whole_rounds(plan);
  if (plan.algorithm == Algorithm::interleaved_1f1b) check_interleaved(plan);
  if (plan.algorithm == Algorithm::two_bw && update > 0) check_two_bw(plan);
  if (!traits.flushes && !traits.chooses_update && update != 0) {
    throw_config_error(
        "microbatches_per_update: under {} an update covers one round of its stage's replicas; leave it 0, found {}",
        name, update);
  }
}

void check_prediction(const Plan& plan) {
  const auto check = [](double value, const std::string& field) {
    if (!(value >= 0) || value > 1e300)
      throw_config_error("{}: must be finite and not negative, found {}", field, value);
  };
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const StagePrediction& expected = plan.stages[s].prediction;
    check(expected.forward_us, fmt::format("stages[{}].prediction.forward_us", s));
    check(expected.backward_us, fmt::format("stages[{}].prediction.backward_us", s));
    check(expected.allreduce_us, fmt::format("stages[{}].prediction.allreduce_us", s));
  }
  check(plan.prediction.microbatch_us, "prediction.microbatch_us");
  check(plan.prediction.single_worker_us, "prediction.single_worker_us");
  check(plan.prediction.data_parallel_us, "prediction.data_parallel_us");
  check(plan.prediction.best_straight_us, "prediction.best_straight_us");
  check(plan.search.bottleneck_us, "search.bottleneck_us");
  for (const SimulatedProposal& proposal : plan.search.proposals) check(proposal.microbatch_us, "search.proposals");
  if (plan.search.cost_model.empty()) return;
  try {
    parse_cost_model(plan.search.cost_model);
  } catch (const ConfigError& error) {
    throw_config_error("search.cost_model: {}", error.what());
  }
}

// Where a layer stands in a plan.
struct Place {
  std::size_t stage;
  std::size_t position;  // in the plan's stage
};

std::map<std::string, Place> places(const Plan& plan) {
  std::map<std::string, Place> result;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const auto& layers = plan.stages[s].layers;
    for (std::size_t i = 0; i < layers.size(); ++i) result[layers[i]] = {s, i};
  }
  return result;
}

std::map<std::string, std::size_t> graph_positions(std::span<const LayerEdges> layers) {
  std::map<std::string, std::size_t> position;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (!position.emplace(layers[i].name, i).second)
      throw_config_error("the model has two layers named \"{}\"", layers[i].name);
  }
  return position;
}

void check_coverage(const Plan& plan, std::span<const LayerEdges> layers,
                    const std::map<std::string, std::size_t>& position, const std::map<std::string, Place>& place) {
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const auto& names = plan.stages[s].layers;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!position.contains(names[i]))
        throw_config_error("stages[{}].layers[{}]: the model has no layer \"{}\"", s, i, names[i]);
      if (i > 0 && position.at(names[i - 1]) > position.at(names[i])) {
        throw_config_error("stages[{}].layers[{}]: \"{}\" must stand before \"{}\", as in the model", s, i, names[i],
                           names[i - 1]);
      }
    }
  }
  for (const LayerEdges& layer : layers) {
    if (!place.contains(layer.name)) throw_config_error("stages: the model's layer \"{}\" is in no stage", layer.name);
  }
}

void check_flow(std::span<const LayerEdges> layers, const std::map<std::string, std::size_t>& position,
                const std::map<std::string, Place>& place) {
  for (const LayerEdges& layer : layers) {
    const std::size_t stage = place.at(layer.name).stage;
    for (const std::string& producer : layer.producers) {
      if (!position.contains(producer))
        throw_config_error("the model's layer \"{}\" uses an unknown layer \"{}\"", layer.name, producer);
      const std::size_t from = place.at(producer).stage;
      if (from > stage) {
        throw_config_error("stages: layer \"{}\" in stage {} uses \"{}\" of the later stage {}", layer.name, stage,
                           producer, from);
      }
    }
  }
}

}  // namespace

void validate(const Plan& plan) {
  if (plan.stages.empty()) throw_config_error("stages: the plan has none");
  check_layers(plan);
  detail::check_workers(plan);
  check_algorithm(plan);
  check_depths(plan);
  check_prediction(plan);
}

void validate_against_layers(const Plan& plan, std::span<const LayerEdges> layers) {
  if (layers.empty()) throw_config_error("the model has no layers");
  const auto position = graph_positions(layers);
  const auto place = places(plan);
  check_coverage(plan, layers, position, place);
  check_flow(layers, position, place);
  const std::string& loss = layers.back().name;
  const std::size_t loss_stage = place.at(loss).stage;
  if (loss_stage + 1 != plan.stages.size()) {
    throw_config_error("stages: the loss, layer \"{}\", is in stage {}; it must be in the last, stage {}", loss,
                       loss_stage, plan.stages.size() - 1);
  }
}

}  // namespace pipedream
