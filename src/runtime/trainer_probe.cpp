// What a trainer does once before its first update.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "pipedream/error.h"
#include "pipedream/validate.h"
#include "runtime/trainer_impl.h"
#include "transport/agreement.h"

namespace pipedream {

void Trainer::Impl::probe(const Dataset& data, const MicrobatchSampler& sampler) {
  if (probed_) return;
  detail::ProbePass pass(worker_->stage(), next_microbatch_);
  detail::SegmentRun run = segment_run(plan_, Pass::probe, 1);
  detail::DataFeed feed(data, sampler, data_names(), feed_range(next_microbatch_, 1), options_.device);
  run.feed = &feed;
  run.compute = &pass;
  worker_->versions().bind(worker_->versions().newest());
  executor_->run(run, links_);
  detail::agree(comm_, [&]() -> detail::Facts {
    if (pass.error()) throw ConfigError(*pass.error());
    return {};
  });
  adopt_traits(pass.traits());
  probed_ = true;
}

// Replica 0 of every stage has seen the probe's microbatch; everybody takes its findings.
void Trainer::Impl::adopt_traits(const detail::StageTraits& own) {
  using nlohmann::json;
  const auto texts = comm_.all_gather(json{{"draws", own.draws}, {"differentiable", own.differentiable}}.dump());
  std::vector<json> by_stage;
  for (const StagePlan& stage : plan_.stages) {
    by_stage.push_back(json::parse(texts[static_cast<std::size_t>(stage.workers.front())]));
  }
  worker_->stage().set_draws(by_stage[static_cast<std::size_t>(stage_)]["draws"].get<std::vector<bool>>());

  // The links of a stage appear in the findings in the order of its wiring: by the later stage.
  std::vector<std::vector<bool>> received;
  std::vector<std::size_t> next(plan_.stages.size(), 0);
  for (StageLink& link : links_) {
    const auto from = static_cast<std::size_t>(link.from);
    const auto wanted = by_stage[from]["differentiable"][next[from]++].get<std::vector<bool>>();
    link.gradient = std::any_of(wanted.begin(), wanted.end(), [](bool b) { return b; });
    if (link.to == stage_) received.push_back(wanted);
  }
  worker_->stage().set_received_gradients(std::move(received));
}

void Trainer::Impl::prove(const Plan& plan, const Segment& segment) {
  detail::agree(comm_, [&]() -> detail::Facts {
    if (comm_.rank() == 0) validate(make_program(plan, links_, segment), plan, links_, segment);
    return {};
  });
}

}  // namespace pipedream
