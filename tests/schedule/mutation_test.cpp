// The validator must refuse what is not sound: every action of some programs is dropped, doubled, swapped and changed.
#include <catch2/catch.hpp>
#include <functional>

#include "cases.h"

namespace pipedream {
namespace {

using testing::Case;
using testing::make_plan;
using testing::refusal;
using testing::written_out;

std::vector<Case> cases() {
  std::vector<Case> result;
  const auto add = [&](const std::string& name, const Plan& plan) {
    result.push_back({name, plan, testing::chain_links(plan)});
  };
  add("straight", testing::straight_pipedream(3));
  add("slack", make_plan(Algorithm::pipedream, {1, 1}, {3, 0}));
  add("3-1", make_plan(Algorithm::pipedream, {3, 1}, {1, 0}));
  add("2-1 delayed", make_plan(Algorithm::pipedream, {2, 1}, {1, 0}, {1, 0}));
  add("1-2", make_plan(Algorithm::pipedream, {1, 2}, {2, 0}));
  add("model parallel", make_plan(Algorithm::model_parallel, {1, 1}));
  add("data parallel", make_plan(Algorithm::data_parallel, {2}));
  const auto fours = [](Algorithm algorithm, const std::vector<int>& replicas, const std::vector<int>& warmup) {
    Plan plan = make_plan(algorithm, replicas, warmup);
    plan.microbatches_per_update = 4;
    return plan;
  };
  add("gpipe", fours(Algorithm::gpipe, {1, 1}, {}));
  add("1f1b-flush", fours(Algorithm::flush_1f1b, {1, 1, 1}, {2, 1, 0}));
  add("vertical sync", make_plan(Algorithm::vertical_sync, {1, 1, 1}, {2, 1, 0}));
  add("2bw", fours(Algorithm::two_bw, {1, 1, 1}, {2, 1, 0}));
  add("pipemare", make_plan(Algorithm::pipemare, {1, 1, 1}, {2, 1, 0}));
  add("pipemare 2-1", fours(Algorithm::pipemare, {2, 1}, {1, 0}));
  add("2bw 2-1", fours(Algorithm::two_bw, {2, 1}, {1, 0}));
  add("1f1b-flush 2-1", fours(Algorithm::flush_1f1b, {2, 1}, {1, 0}));
  add("interleaved", testing::interleaved_plan(2, 2, 4));
  result.back().links.push_back({0, 2, true});
  result.push_back(result.front());
  result.back().name = "skip";
  result.back().links = {{0, 1, true}, {0, 2, false}, {1, 2, true}};
  return result;
}

// Calls change(actions, position) on a copy for every action of every worker; it says whether it changed something
// that must be refused.
using Change = std::function<bool(std::vector<Action>&, std::size_t, const Plan&)>;

int check_refused(const Change& change) {
  int changes = 0;
  for (const Case& c : cases()) {
    const Program sound = written_out(c);
    REQUIRE(refusal(c, sound).empty());
    for (std::size_t w = 0; w < sound.workers.size(); ++w) {
      for (std::size_t i = 0; i < sound.workers[w].prologue.size(); ++i) {
        Program changed = sound;
        if (change(changed.workers[w].prologue, i, c.plan)) {
          ++changes;
          if (refusal(c, changed).empty()) {
            FAIL_CHECK(c.name << ": worker " << w << ", action " << i << ": accepted "
                              << testing::text(changed.workers[w].prologue));
          }
        }
      }
    }
  }
  return changes;
}

// Both the same of four halves of messages, of one channel.
bool is_same_channel(const Action& a, const Action& b, const Plan& plan) {
  return is_message(a.kind) && a.kind == b.kind && a.stage == b.stage && a.peer == b.peer &&
         worker_of(plan, a.stage, a.microbatch) == worker_of(plan, b.stage, b.microbatch) &&
         worker_of(plan, a.peer, a.microbatch) == worker_of(plan, b.peer, b.microbatch);
}

bool names_version(const Action& action) {
  return action.kind == ActionKind::forward || action.kind == ActionKind::backward;
}

bool is_pass_or_update(const Action& action) { return names_version(action) || action.kind == ActionKind::update; }

}  // namespace

TEST_CASE("a dropped action is refused") {
  CHECK(check_refused([](std::vector<Action>& actions, std::size_t i, const Plan&) {
          actions.erase(actions.begin() + static_cast<std::ptrdiff_t>(i));
          return true;
        }) > 1000);
}

TEST_CASE("a doubled action is refused") {
  CHECK(check_refused([](std::vector<Action>& actions, std::size_t i, const Plan&) {
          const Action doubled = actions[i];
          actions.insert(actions.begin() + static_cast<std::ptrdiff_t>(i), doubled);
          return true;
        }) > 1000);
}

TEST_CASE("swapped actions are refused where their order matters") {
  CHECK(check_refused([](std::vector<Action>& actions, std::size_t i, const Plan& plan) {
          if (i + 1 == actions.size()) {
            return false;
          }
          const Action a = actions[i], b = actions[i + 1];
          std::swap(actions[i], actions[i + 1]);
          const bool is_compute_pair = is_pass_or_update(a) && is_pass_or_update(b) && a.stage == b.stage;
          const bool is_use = a.kind == ActionKind::receive_wait && names_version(b);
          const bool is_result = names_version(a) && b.kind == ActionKind::send_post;
          const bool is_reduction = (a.kind == ActionKind::reduce_post || a.kind == ActionKind::reduce_wait ||
                                     a.kind == ActionKind::send_post) &&
                                    b.kind >= ActionKind::update && b.kind <= ActionKind::reduce_wait &&
                                    a.version <= b.version &&
                                    (a.kind == ActionKind::send_post || a.version == b.version);
          return is_compute_pair || is_use || is_result || is_reduction || is_same_channel(a, b, plan);
        }) > 300);
}

TEST_CASE("two messages of a channel in another order are refused") {
  CHECK(check_refused([](std::vector<Action>& actions, std::size_t i, const Plan& plan) {
          for (std::size_t j = i + 1; j < actions.size(); ++j) {
            if (is_same_channel(actions[i], actions[j], plan)) {
              std::swap(actions[i], actions[j]);
              return true;
            }
          }
          return false;
        }) > 500);
}

TEST_CASE("a wrong version, microbatch, stage or count is refused") {
  for (const int by : {-1, 1}) {
    CHECK(check_refused([by](std::vector<Action>& actions, std::size_t i, const Plan&) {
            actions[i].version += by;
            return !is_message(actions[i].kind);
          }) > 300);
    CHECK(check_refused([by](std::vector<Action>& actions, std::size_t i, const Plan&) {
            actions[i].microbatch += by;
            return true;
          }) > 1000);
    CHECK(check_refused([by](std::vector<Action>& actions, std::size_t i, const Plan&) {
            actions[i].stage += by;
            return true;
          }) > 1000);
    CHECK(check_refused([by](std::vector<Action>& actions, std::size_t i, const Plan&) {
            actions[i].covers += by;
            return actions[i].covers > by;
          }) > 100);
  }
}

TEST_CASE("a wrong '-' or '+' is refused") {
  CHECK(check_refused([](std::vector<Action>& actions, std::size_t i, const Plan&) {
          actions[i].frees_version = !actions[i].frees_version;
          return names_version(actions[i]);
        }) > 200);
  CHECK(check_refused([](std::vector<Action>& actions, std::size_t i, const Plan&) {
          actions[i].copies_version = !actions[i].copies_version;
          return actions[i].kind == ActionKind::update;
        }) > 100);
}

}  // namespace pipedream
