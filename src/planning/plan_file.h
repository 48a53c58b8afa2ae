// The fields of a plan in a file; a report carries one too.
#pragma once

#include "pipedream/plan.h"

namespace pipedream::detail {

template <class Fields>
void describe(Fields& fields, StagePrediction& prediction) {
  fields.required("forward_us", prediction.forward_us);
  fields.required("backward_us", prediction.backward_us);
  fields.required("allreduce_us", prediction.allreduce_us);
  fields.required("send_forward_bytes", prediction.send_forward_bytes);
  fields.required("send_backward_bytes", prediction.send_backward_bytes);
  fields.required("parameter_bytes", prediction.parameter_bytes);
  fields.required("memory_bytes", prediction.memory_bytes);
}

template <class Fields>
void describe(Fields& fields, PlanPrediction& prediction) {
  fields.required("microbatch_us", prediction.microbatch_us);
  fields.required("single_worker_us", prediction.single_worker_us);
  fields.required("data_parallel_us", prediction.data_parallel_us);
  fields.required("best_straight_us", prediction.best_straight_us);
  fields.required("bound_by", prediction.bound_by);
}

template <class Fields>
void describe(Fields& fields, SimulatedProposal& proposal) {
  fields.required("name", proposal.name);
  fields.required("microbatch_us", proposal.microbatch_us);
}

template <class Fields>
void describe(Fields& fields, PlanSearch& search) {
  fields.required("cost_model", search.cost_model);
  fields.required("bottleneck_us", search.bottleneck_us);
  fields.required("states", search.states);
  fields.required("contraction", search.contraction);
  fields.optional("proposal", search.proposal);
  fields.optional("proposals", search.proposals);
}

template <class Fields>
void describe(Fields& fields, PlanPlacement& placement) {
  fields.required("servers", placement.servers);
  fields.required("devices", placement.devices);
}

// warmup: -1 where a file leaves it to the default; fill_missing_warmups() replaces it.
template <class Fields>
void describe(Fields& fields, StagePlan& stage) {
  fields.required("layers", stage.layers);
  fields.required("workers", stage.workers);
  if (!fields.optional("warmup", stage.warmup)) stage.warmup = -1;
  fields.optional("reduce_delay", stage.reduce_delay);
  fields.optional("recompute", stage.recompute);
  fields.optional("prediction", stage.prediction);
}

template <class Fields>
void describe(Fields& fields, Plan& plan) {
  fields.required("algorithm", plan.algorithm);
  fields.optional("graph_hash", plan.graph_hash);
  fields.optional("microbatches_per_update", plan.microbatches_per_update);
  fields.required("stages", plan.stages);
  fields.optional("idle_workers", plan.idle_workers);
  fields.optional("placement", plan.placement);
  fields.optional("prediction", plan.prediction);
  fields.optional("search", plan.search);
}

// Right to left, so that a stage without a depth follows from the depth of the next one, given or not.
void fill_missing_warmups(Plan& plan);

}  // namespace pipedream::detail
