// What a trainer does once before its first update.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "pipedream/error.h"
#include "pipedream/validate.h"
#include "runtime/trainer_impl.h"
#include "transport/agreement.h"

namespace pipedream {

void Trainer::Impl::probe(const Dataset& data, const MicrobatchSampler& sampler) {
  if (probed_) return;
  detail::SegmentRun run = segment_run(plan_, Pass::probe, 1);
  const auto feeds = open_feeds(data, sampler, next_microbatch_, 1);
  std::vector<std::unique_ptr<detail::ProbePass>> passes;
  std::vector<const detail::StageTraits*> traits;
  for (std::size_t h = 0; h < hosted_.size(); ++h) {
    detail::StageWorker& worker = *hosted_[h];
    passes.push_back(std::make_unique<detail::ProbePass>(worker.stage(), next_microbatch_));
    traits.push_back(&passes.back()->traits());
    run.stages.push_back({feeds[h].get(), passes.back().get()});
    worker.versions().bind(worker.versions().newest());
  }
  executor_->run(run, links_);
  detail::agree(comm_, [&]() -> detail::Facts {
    for (const auto& pass : passes) {
      if (pass->error()) throw ConfigError(*pass->error());
    }
    return {};
  });
  adopt_traits(traits);
  probed_ = true;
}

// Replica 0 of every stage has seen the probe's microbatch; everybody takes its findings.
void Trainer::Impl::adopt_traits(const std::vector<const detail::StageTraits*>& own) {
  using nlohmann::json;
  json findings;
  for (std::size_t h = 0; h < stages_.size(); ++h) {
    findings[std::to_string(stages_[h])] = {{"draws", own[h]->draws}, {"differentiable", own[h]->differentiable}};
  }
  const auto texts = comm_.all_gather(findings.dump());
  std::vector<json> by_stage;
  for (std::size_t s = 0; s < plan_.stages.size(); ++s) {
    const auto first_replica = static_cast<std::size_t>(plan_.stages[s].workers.front());
    by_stage.push_back(json::parse(texts[first_replica])[std::to_string(s)]);
  }

  // The links of a stage appear in the findings in the order of its wiring: by the later stage.
  std::map<int, std::vector<std::vector<bool>>> received;  // by hosted stage
  std::vector<std::size_t> next(plan_.stages.size(), 0);
  for (StageLink& link : links_) {
    const auto from = static_cast<std::size_t>(link.from);
    const auto wanted = by_stage[from]["differentiable"][next[from]++].get<std::vector<bool>>();
    link.gradient = std::any_of(wanted.begin(), wanted.end(), [](bool b) { return b; });
    received[link.to].push_back(wanted);
  }
  for (std::size_t h = 0; h < stages_.size(); ++h) {
    detail::Stage& stage = hosted_[h]->stage();
    stage.set_draws(by_stage[static_cast<std::size_t>(stages_[h])]["draws"].get<std::vector<bool>>());
    stage.set_received_gradients(received[stages_[h]]);
  }
}

void Trainer::Impl::prove(const Plan& plan, const Segment& segment) {
  detail::agree(comm_, [&]() -> detail::Facts {
    if (comm_.rank() == 0) validate(make_program(plan, links_, segment), plan, links_, segment);
    return {};
  });
}

}  // namespace pipedream
