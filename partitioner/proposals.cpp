#include "partitioner/proposals.h"

#include <fmt/format.h>

#include <array>
#include <exception>
#include <optional>

#include "partitioner/closed_forms.h"
#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

// States times workers. The models that compare shapes one by one would take many seconds for more.
constexpr std::int64_t kMostListed = 250'000;

class Proposals {
 public:
  Proposals(const Profile& profile, const PlanningStates& states, const Topology& topology,
            const PartitionOptions& options)
      : profile_(profile), states_(states), topology_(topology), options_(options) {}

  std::vector<Proposal> all() {
    const bool is_pipeline =
        options_.algorithm != Algorithm::model_parallel && options_.algorithm != Algorithm::data_parallel;
    propose("pipedream", topology_, with(CostModel::pipedream), true);
    if (is_pipeline) {
      propose("pipedream-compat", topology_, with(CostModel::pipedream_compat), true);
      if (std::int64_t{states_.count()} * topology_.workers() <= kMostListed) {
        propose_list(CostModel::dapple);
        propose_list(CostModel::two_bw);
      }
      propose_others();
    }
    if (found_.empty()) std::rethrow_exception(first_error_);
    return std::move(found_);
  }

 private:
  PartitionOptions with(CostModel model) const {
    PartitionOptions options = options_;
    options.cost_model = model;
    return options;
  }

  void propose(const std::string& name, const Topology& topology, const PartitionOptions& options,
               bool is_model = false) {
    try {
      found_.push_back({name, partition(profile_, topology, options), is_model});
    } catch (const ConfigError&) {
      // A model without a plan proposes none.
      if (!first_error_) first_error_ = std::current_exception();
    }
  }

  // The best of them is the model's plan.
  void propose_list(CostModel model) {
    constexpr std::array kRanks{"", ", second", ", third"};
    std::size_t rank = 0;
    for (ClosedFormPlan& found : closed_form_plans(profile_, states_, topology_, with(model), kRanks.size())) {
      try {
        validate(found.plan);
        found_.push_back({fmt::format("{}{}", to_string(model), kRanks[rank]), std::move(found.plan), rank == 0});
        ++rank;
      } catch (const ConfigError&) {
        // An update does not have whole rounds of every stage.
      }
    }
  }

  void propose_others() {
    const PartitionOptions paper = with(CostModel::pipedream);
    PartitionOptions straight = paper;
    straight.straight = true;
    if (!options_.straight) propose("straight", topology_, straight);
    if (topology_.memory_bytes_per_worker > 0) {
      Topology unlimited = topology_;
      unlimited.memory_bytes_per_worker = 0;
      propose("pipedream without the memory limit", unlimited, paper);
      if (!options_.straight) propose("straight without the memory limit", unlimited, straight);
    }
    if (!options_.use_all_workers) propose_fewer(paper);
    propose_data_parallelism();
  }

  // Half of the outermost components, and a single worker.
  void propose_fewer(const PartitionOptions& paper) {
    Topology fewer = topology_;
    for (auto level = fewer.levels.rbegin(); level != fewer.levels.rend(); ++level) {
      if (level->count == 1) continue;
      level->count /= 2;
      propose("half of the workers", fewer, paper);
      break;
    }
    for (TopologyLevel& level : fewer.levels) level.count = 1;
    propose("one worker", fewer, paper);
  }

  void propose_data_parallelism() {
    if (options_.straight || topology_.workers() == 1) return;
    std::vector<std::string> layers;
    for (const LayerProfile& layer : profile_.layers) layers.push_back(layer.name);
    Plan plan = single_stage_plan(layers, topology_.workers(), options_.algorithm);
    plan.graph_hash = profile_.graph_hash;
    plan.microbatches_per_update = options_.microbatches_per_update;
    try {
      validate(plan);
    } catch (const ConfigError&) {
      return;  // an update has too few microbatches for as many replicas
    }
    found_.push_back({"data parallelism", plan, false});
    if (!traits_of(plan.algorithm).delays_reduction) return;
    plan.stages.front().reduce_delay = 1;
    found_.push_back({"data parallelism, reduced one round later", std::move(plan), false});
  }

  const Profile& profile_;
  const PlanningStates& states_;
  const Topology& topology_;
  const PartitionOptions& options_;
  std::vector<Proposal> found_;
  std::exception_ptr first_error_;
};

}  // namespace

std::vector<Proposal> proposals(const Profile& profile, const PlanningStates& states, const Topology& topology,
                                const PartitionOptions& options) {
  return Proposals(profile, states, topology, options).all();
}

}  // namespace pipedream::detail
