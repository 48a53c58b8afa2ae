// The rules that one action of one worker must keep, and what it changes.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "schedule/replay_state.h"

namespace pipedream::detail {

// Made for one action. The rules of forwards, backwards, updates and their versions are in replay_compute.cpp, those of
// reductions and messages in replay_messages.cpp.
class ActionReplay {
 public:
  // The worker has read an action (`current`).
  ActionReplay(ReplayState& state, int worker)
      : state_(state),
        id_(worker),
        worker_(state.workers[static_cast<std::size_t>(worker)]),
        action_(*worker_.current),
        own_(state.hosted[state.hosted_index(worker_, acting_stage(action_))]),
        stage_(state.stages[static_cast<std::size_t>(own_.stage)]) {}

  // False where the action must wait (is_waiting is then set); throws ConfigError where it breaks a rule.
  bool run();

 private:
  template <typename... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> form, Args&&... args) const {
    fail_at(state_, id_, fmt::format(form, std::forward<Args>(args)...));
  }

  void check_place() const;
  void check_sends_posted() const;
  void check_received(bool activations, std::int64_t needed) const;
  void check_local_forwards() const;
  void check_local_backwards() const;
  void check_own(const char* what, std::int64_t done) const;
  void check_version(const VersionTable& table, std::int64_t i) const;
  void check_update(const char* what, std::int64_t done) const;

  void forward();
  void backward();
  void free_version();
  void update();
  void keep_version(std::int64_t version);

  void check_has_replicas() const;
  void reduce_post();
  bool reduce_wait();

  Port& port() const;
  Channel& channel(const Port& used) const;
  void check_order(const Port& used, const Channel& found, std::int64_t done) const;
  void send_post();
  bool send_wait();
  void receive_post();
  bool receive_wait();

  bool wait_on(const Channel* channel) const;
  void wake(int worker, const Channel* channel) const;

  ReplayState& state_;
  const int id_;
  WorkerState& worker_;
  const Action& action_;
  HostedStage& own_;
  StageRule& stage_;
};

}  // namespace pipedream::detail
