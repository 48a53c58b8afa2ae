#include <algorithm>
#include <random>
#include <vector>

#include "pipedream/plan.h"
#include "support.h"

using namespace pipedream;

namespace {

// Runs forwards and backwards as soon as what they need is there, and says whether all of them could run. From the
// definitions alone: 1F1B with w warm-up forwards, replicas in turn, and a forward of round i only after the gradients
// of rounds 0 .. i - w - d - 1 of all replicas.
class Replay {
 public:
  Replay(const Plan& plan, int microbatches) : plan_(plan), microbatches_(microbatches) {
    for (const StagePlan& stage : plan.stages) {
      forward_.emplace_back(static_cast<std::size_t>(microbatches), false);
      backward_.emplace_back(static_cast<std::size_t>(microbatches), false);
      done_.emplace_back(stage.workers.size(), 0);
    }
  }

  bool finishes() {
    bool progress = true;
    while (progress) {
      progress = false;
      for (std::size_t s = 0; s < plan_.stages.size(); ++s) {
        for (int q = 0; q < plan_.stages[s].replicas(); ++q) {
          while (step(s, q)) progress = true;
        }
      }
    }
    for (const auto& stage : backward_) {
      if (std::count(stage.begin(), stage.end(), true) != microbatches_) return false;
    }
    return true;
  }

 private:
  // The next action of a replica, if it can run.
  bool step(std::size_t s, int q) {
    const StagePlan& stage = plan_.stages[s];
    const int own = (microbatches_ - q + stage.replicas() - 1) / stage.replicas();
    int& done = done_[s][static_cast<std::size_t>(q)];
    if (done == 2 * own) return false;
    // Rounds of forwards before the pairs, then forward and backward in turn, then the backwards that are left.
    const int lead = std::min(stage.warmup, own);
    const int paired = done - lead;
    bool is_forward = done < lead || (paired < 2 * (own - lead) && paired % 2 == 0);
    const int round =
        is_forward ? (done < lead ? done : lead + paired / 2) : (paired < 2 * (own - lead) ? paired / 2 : done - own);
    const auto k =
        static_cast<std::size_t>(q) + static_cast<std::size_t>(round) * static_cast<std::size_t>(stage.replicas());
    if (is_forward ? !forward_ready(s, k, round) : !backward_ready(s, k)) return false;
    (is_forward ? forward_ : backward_)[s][k] = true;
    ++done;
    return true;
  }

  bool forward_ready(std::size_t s, std::size_t k, int round) const {
    if (s > 0 && !forward_[s - 1][k]) return false;
    const StagePlan& stage = plan_.stages[s];
    const int needed = std::max(0, (round - stage.warmup - stage.reduce_delay) * stage.replicas());
    return std::all_of(backward_[s].begin(), backward_[s].begin() + needed, [](bool done) { return done; });
  }

  bool backward_ready(std::size_t s, std::size_t k) const {
    return forward_[s][k] && (s + 1 == plan_.stages.size() || backward_[s + 1][k]);
  }

  const Plan& plan_;
  int microbatches_;
  std::vector<std::vector<bool>> forward_;   // [stage][microbatch]
  std::vector<std::vector<bool>> backward_;  // [stage][microbatch]
  std::vector<std::vector<int>> done_;       // [stage][replica]: actions
};

Plan random_plan(std::mt19937_64& random) {
  const auto below = [&](int count) { return static_cast<int>(random() % static_cast<std::uint64_t>(count)); };
  Plan plan;
  int worker = 0;
  const int stages = 2 + below(3);
  for (int s = 0; s < stages; ++s) {
    StagePlan stage;
    stage.layers.push_back("l" + std::to_string(s));
    for (int replicas = 1 + below(3); replicas > 0; --replicas) stage.workers.push_back(worker++);
    stage.warmup = s + 1 < stages ? below(5) : 0;
    stage.reduce_delay = stage.replicas() > 1 ? below(2) : 0;
    plan.stages.push_back(stage);
  }
  return plan;
}

}  // namespace

TEST_CASE("validation refuses exactly the depths with which the pipeline would stand still") {
  std::mt19937_64 random(7);
  int valid = 0;
  int refused = 0;
  for (int i = 0; i < 3'000; ++i) {
    const Plan plan = random_plan(random);
    bool accepted = true;
    try {
      validate(plan);
    } catch (const ConfigError& error) {
      accepted = false;
      REQUIRE_THAT(error.what(), Catch::Contains("is too little"));
    }
    // Long enough for every alignment of the replicas' rounds.
    REQUIRE(Replay(plan, 72).finishes() == accepted);
    ++(accepted ? valid : refused);
  }
  CHECK(valid > 500);
  CHECK(refused > 500);
}
