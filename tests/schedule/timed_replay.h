// How long a program takes on workers and links of given speed, in a world without noise.
//
// A stage's forward takes a third and its backward two thirds of its replicas' number, so that every stage handles one
// microbatch a unit of time. A transfer begins when both ends have posted it and the one before it on the channel has
// ended.
#pragma once

#include <algorithm>
#include <array>
#include <map>

#include "plans.h"
#include "schedule/lowering.h"

namespace pipedream::testing {

class TimedReplay {
 public:
  // slots: of every channel; 0: the plan's.
  TimedReplay(const RandomCase& c, std::int64_t microbatches, double transfer, int slots)
      : plan_(c.plan), transfer_(transfer) {
    for (int worker = 0; worker < plan_.workers(); ++worker) {
      programs_.push_back(detail::lower(plan_, c.links, {Pass::train, microbatches}, worker, slots));
    }
    position_.resize(programs_.size());
    clock_.resize(programs_.size());
    for (bool goes_on = true; goes_on;) {
      goes_on = false;
      for (std::size_t worker = 0; worker < programs_.size(); ++worker) {
        while (position_[worker] < programs_[worker].size() && run(worker, programs_[worker][position_[worker]])) {
          ++position_[worker];
          goes_on = true;
        }
      }
    }
  }

  // When the last worker is done.
  double end() const { return *std::max_element(clock_.begin(), clock_.end()); }

  // Time per microbatch over the middle half of the last stage's backwards.
  double microbatch_time() {
    std::sort(last_backwards_.begin(), last_backwards_.end());
    const std::size_t first = last_backwards_.size() / 4;
    const std::size_t last = last_backwards_.size() - 1 - first;
    return (last_backwards_[last] - last_backwards_[first]) / static_cast<double>(last - first);
  }

 private:
  struct Channel {
    std::vector<double> sends, receives, ends;
    std::size_t sends_waited = 0, receives_waited = 0;
  };

  bool run(std::size_t worker, const Action& action) {
    double& now = clock_[worker];
    const auto stage = static_cast<std::size_t>(action.stage);
    switch (action.kind) {
      case ActionKind::forward:
        now += plan_.stages[stage].replicas() / 3.0;
        return true;
      case ActionKind::backward:
        now += plan_.stages[stage].replicas() * 2 / 3.0;
        if (stage + 1 == plan_.stages.size()) {
          last_backwards_.push_back(now);
        }
        return true;
      case ActionKind::update:
        return true;
      case ActionKind::reduce_post:
        reductions_[{action.stage, action.version}].push_back(now);
        return true;
      case ActionKind::reduce_wait: {
        const auto& posts = reductions_[{action.stage, action.version}];
        const bool is_done = posts.size() == plan_.stages[stage].workers.size();
        return wait(now, is_done, is_done ? *std::max_element(posts.begin(), posts.end()) + transfer_ : 0);
      }
      default:
        return run_message(now, action);
    }
  }

  bool run_message(double& now, const Action& action) {
    Channel& channel = channels_[{action.stage, action.peer, worker_of(plan_, action.stage, action.microbatch),
                                  worker_of(plan_, action.peer, action.microbatch)}];
    if (action.kind == ActionKind::send_post || action.kind == ActionKind::receive_post) {
      (action.kind == ActionKind::send_post ? channel.sends : channel.receives).push_back(now);
      const std::size_t i = channel.ends.size();
      if (i < std::min(channel.sends.size(), channel.receives.size())) {
        const double free = i > 0 ? channel.ends.back() : 0;
        channel.ends.push_back(std::max({channel.sends[i], channel.receives[i], free}) + transfer_);
      }
      return true;
    }
    std::size_t& waited = action.kind == ActionKind::send_wait ? channel.sends_waited : channel.receives_waited;
    const bool is_done = waited < channel.ends.size();
    const double end = is_done ? channel.ends[waited] : 0;
    waited += is_done ? 1 : 0;
    return wait(now, is_done, end);
  }

  static bool wait(double& now, bool is_done, double end) {
    if (is_done) {
      now = std::max(now, end);
    }
    return is_done;
  }

  const Plan plan_;
  const double transfer_;
  std::vector<std::vector<Action>> programs_;
  std::vector<std::size_t> position_;
  std::vector<double> clock_, last_backwards_;
  std::map<std::array<int, 4>, Channel> channels_;  // by stages and workers
  std::map<std::pair<int, std::int64_t>, std::vector<double>> reductions_;
};

}  // namespace pipedream::testing
