#include <catch2/catch.hpp>
#include <functional>

#include "cases.h"

namespace pipedream {
namespace {

using testing::Case;
using testing::make_plan;
using testing::refusal;
using testing::written_out;

// A two-stage program under a change of every worker's actions.
std::string refusal_of(const Plan& plan, const std::function<std::vector<Action>(const std::vector<Action>&)>& change,
                       int slots = 0) {
  Case c{"", plan, testing::chain_links(plan), {Pass::train, 24}};
  Program program;
  for (int worker = 0; worker < plan.workers(); ++worker) {
    program.workers.emplace_back().prologue = change(detail::lower(plan, c.links, c.segment, worker, slots));
  }
  return refusal(c, program);
}

std::vector<Action> with_blocking_sends(const std::vector<Action>& actions) {
  std::vector<Action> result;
  for (Action action : actions) {
    if (action.kind == ActionKind::send_wait) {
      continue;
    }
    result.push_back(action);
    if (action.kind == ActionKind::send_post) {
      action.kind = ActionKind::send_wait;
      result.push_back(action);
    }
  }
  return result;
}

// The next receive, of whatever channel, is posted `ahead` waits before its own.
std::vector<Action> with_receives_posted_ahead(const std::vector<Action>& actions, std::size_t ahead) {
  std::vector<Action> posts, result;
  for (Action action : actions) {
    if (action.kind == ActionKind::receive_wait) {
      action.kind = ActionKind::receive_post;
      posts.push_back(action);
    }
  }
  std::size_t posted = 0;
  std::size_t waited = 0;
  const auto post_up_to = [&](std::size_t end) {
    while (posted < std::min(end, posts.size())) {
      result.push_back(posts[posted++]);
    }
  };
  post_up_to(ahead);
  for (const Action& action : actions) {
    if (action.kind == ActionKind::receive_post) {
      continue;
    }
    if (action.kind == ActionKind::receive_wait) {
      post_up_to(++waited);
    }
    result.push_back(action);
    if (action.kind == ActionKind::receive_wait) {
      post_up_to(waited + ahead);
    }
  }
  return result;
}

}  // namespace

TEST_CASE("refusals say what is wrong, where, and show the surroundings") {
  const Case c{"", testing::straight_pipedream(2), {{0, 1, true}}, {Pass::train, 4}};
  const Program sound = written_out(c);
  REQUIRE(to_text(sound) ==
          "worker 0: R1>0.0 R1>0.1 R1>0.2 F0.0@v0 S0>1.0 F0.1@v0 S0>1.1 r1>0.0 R1>0.3 B0.0@v0 U0.0@v1+ F0.2@v1 S0>1.2 "
          "r1>0.1 B0.1@v0- U0.1@v2+ F0.3@v2 s0>1.0 S0>1.3 r1>0.2 B0.2@v1- U0.2@v3+ r1>0.3 B0.3@v2- U0.3@v4 s0>1.1 "
          "s0>1.2 s0>1.3\n"
          "worker 1: R0>1.0 R0>1.1 R0>1.2 r0>1.0 R0>1.3 F1.0@v0 B1.0@v0 S1>0.0 U1.0@v1 r0>1.1 F1.1@v1 B1.1@v1 S1>0.1 "
          "U1.1@v2 r0>1.2 F1.2@v2 B1.2@v2 S1>0.2 U1.2@v3 r0>1.3 F1.3@v3 B1.3@v3 s1>0.0 S1>0.3 U1.3@v4 s1>0.1 s1>0.2 "
          "s1>0.3\n");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = to_text(sound);
    REQUIRE(text.find(from) != std::string::npos);
    return refusal(c, parse_program(text.replace(text.find(from), from.size(), to)));
  };
  CHECK(with("F0.2@v1", "F0.2@v0") ==
        "worker 0 (stage 0, replica 0), action 11, F0.2@v0: wrong version: the plan says version 1\n"
        "  worker 0 (stage 0, replica 0)   r1>0.0     R1>0.3     B0.0@v0    U0.0@v1+   [F0.2@v0]   S0>1.2     "
        "r1>0.1     B0.1@v0-\n"
        "  worker 1 (stage 1, replica 0)   F1.1@v1    B1.1@v1    S1>0.1     U1.1@v2    [r0>1.2]    F1.2@v2    "
        "B1.2@v2    S1>0.2");
  const auto problem = [&](const std::string& from, const std::string& to) {
    const std::string text = with(from, to);
    const std::size_t start = text.find(": ") + 2;
    return text.substr(start, text.find('\n') - start);
  };
  CHECK(problem("U0.0@v1+ F0.2@v1", "F0.2@v1 U0.0@v1+") == "version 1 is not present: the newest is 0");
  CHECK(problem("U0.0@v1+", "U0.0@v1") == "overwrites version 0, which a later action still names: it must copy ('+')");
  CHECK(problem("U1.0@v1", "U1.0@v1+") == "copies version 0, which no later action names");
  CHECK(problem("B0.1@v0-", "B0.1@v0") == "the last action to name version 0 must free it ('-')");
  CHECK(problem("B0.0@v0", "B0.0@v0-") == "frees version 0, which is the newest");
  CHECK(problem("F0.1@v0", "F0.2@v0") == "the worker's next forward is that of microbatch 1");
  CHECK(problem("r0>1.1 F1.1@v1", "F1.1@v1 r0>1.1") == "r0>1.1 has not been waited for");
  CHECK(problem("R0>1.0 R0>1.1", "R0>1.1 R0>1.0") ==
        "out of order: message 0 on the channel from worker 0 to worker 1 is microbatch 0");
  CHECK(problem("r1>0.0 R1>0.3", "R1>0.3 r1>0.0") ==
        "too many receives posted and not waited for: the channel from worker 1 has 3 slots");
  CHECK(problem("s0>1.0 S0>1.3", "S0>1.3 s0>1.0") ==
        "too many sends posted and not waited for: the channel to worker 1 has 3 slots");
  CHECK(problem("B1.0@v0 S1>0.0 U1.0@v1", "B1.0@v0 U1.0@v1 S1>0.0") == "stands before the send S1>0.0");
  CHECK(problem(" s0>1.3", "") == "the program ends with 3 of 4 waits for sends to worker 1 done");
  CHECK(problem("r1>0.0 R1>0.3 B0.0@v0 U0.0@v1+", "F0.2@v0 S0>1.2") == "wrong version: the plan says version 1");
}

TEST_CASE("a reduction before the send of the gradient is refused by that name") {
  const Case c{
      "", make_plan(Algorithm::pipedream, {1, 3, 1}, {4, 1, 0}), {{0, 1, true}, {1, 2, true}}, {Pass::train, 9}};
  Program program = written_out(c);
  std::vector<Action>& actions = program.workers[1].prologue;
  for (std::size_t i = 0; i + 1 < actions.size(); ++i) {
    if (actions[i + 1].kind == ActionKind::reduce_post) {
      std::swap(actions[i], actions[i + 1]);
      break;
    }
  }
  CHECK(refusal(c, program).find("reduce before send: the reduction is posted ahead of S1>0.0") != std::string::npos);
}

TEST_CASE("blocking sends deadlock unless receives are posted far enough ahead") {
  const Plan two = testing::straight_pipedream(2);
  CHECK(refusal_of(two,
                   [](const auto& actions) { return with_receives_posted_ahead(with_blocking_sends(actions), 0); }) ==
        "deadlock: no worker can go on\n"
        "  worker 0 (stage 0, replica 0), action 5, s0>1.1: waits for R0>1.1 of worker 1\n"
        "  worker 1 (stage 1, replica 0), action 5, s1>0.0: waits for R1>0.0 of worker 0\n"
        "around worker 0 (stage 0, replica 0):\n"
        "  worker 0 (stage 0, replica 0)   S0>1.0    s0>1.0     F0.1@v0    S0>1.1   [s0>1.1]   R1>0.0     r1>0.0    "
        "B0.0@v0\n"
        "  worker 1 (stage 1, replica 0)   r0>1.0    F1.0@v0    B1.0@v0    S1>0.0   [s1>0.0]   U1.0@v1    R0>1.1    "
        "r0>1.1");
  const Plan replicated = make_plan(Algorithm::pipedream, {3, 1}, {2, 0});
  const auto blocking_and_one_ahead = [](const auto& actions) {
    return with_receives_posted_ahead(with_blocking_sends(actions), 1);
  };
  CHECK(refusal_of(replicated, blocking_and_one_ahead).find("deadlock: no worker can go on") == 0);
  CHECK(refusal_of(replicated, with_blocking_sends).empty());
}

TEST_CASE("a wait for a reduction that a replica never posts names the replica") {
  const Case c{"", make_plan(Algorithm::data_parallel, {2}), {}, {Pass::train, 2}};
  const Program program =
      parse_program("worker 0: F0.0@v0 B0.0@v0 A0.0x2@v1 a0.0x2@v1 U0.0x2@v1\n worker 1: F0.1@v0 B0.1@v0");
  CHECK(refusal(c, program).find("waits for A0.0x2@v1 of worker 1, which has ended") != std::string::npos);
}

}  // namespace pipedream
