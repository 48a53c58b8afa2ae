#include "partitioner/memory_limited.h"

#include <catch2/catch.hpp>
#include <tuple>

#include "oracle.h"

using namespace pipedream;
using namespace pipedream::testing;
using detail::FoundPipeline;
using detail::MemoryRule;
using detail::PaperOptions;
using detail::PaperPlanner;

namespace {

struct Search {
  const detail::PlanningStates& states;
  const Topology& topology;
  PaperOptions options;
  detail::StageMemory& memory;
};

using Rank = std::tuple<double, int, std::size_t>;

int components_of(const FoundPipeline& plan) {
  int components = 0;
  for (const detail::FoundStage& stage : plan.stages) components += stage.replicas;
  return components;
}

// Each number of versions, or of workers, by a search of its own; the first of the best.
class OneByOne {
 public:
  explicit OneByOne(const Search& search) : search_(search) {}

  std::optional<FoundPipeline> by_versions() {
    PaperOptions straight = search_.options;
    straight.straight = true;
    for (int versions = 1; versions <= 2 * search_.topology.workers() + 3; ++versions) {
      consider(search_.topology, straight, {Algorithm::vertical_sync, 1, versions, versions, true});
      if (search_.options.straight) continue;
      consider(search_.topology, search_.options, {Algorithm::vertical_sync, 1, versions, versions, false});
    }
    return best_;
  }

  std::optional<FoundPipeline> by_workers(Algorithm algorithm) {
    PaperOptions exactly = search_.options;
    exactly.use_all = true;
    const int workers = search_.topology.workers();
    for (int used = search_.options.use_all ? workers : 1; used <= workers; ++used) {
      Topology part = search_.topology;
      part.levels.front().count = used;
      consider(part, exactly, {algorithm, std::int64_t{4} * used, 1, 1, false});
    }
    return best_;
  }

 private:
  void consider(const Topology& topology, const PaperOptions& options, const MemoryRule& rule) {
    search_.memory.set_rule(rule);
    auto plan = PaperPlanner(search_.states, topology, options).fastest(&search_.memory);
    if (!plan) return;
    const Rank rank{plan->bottleneck_us, components_of(*plan), plan->stages.size()};
    if (!best_ || rank < rank_) {
      best_ = std::move(plan);
      rank_ = rank;
    }
  }

  Search search_;
  std::optional<FoundPipeline> best_;
  Rank rank_;
};

std::string text_of(const std::optional<FoundPipeline>& plan) {
  if (!plan) return "none";
  std::string text = std::to_string(plan->bottleneck_us);
  for (const detail::FoundStage& stage : plan->stages) {
    text += " " + std::to_string(stage.first) + "-" + std::to_string(stage.end) + "x" + std::to_string(stage.replicas);
  }
  return text;
}

}  // namespace

TEST_CASE("a memory limit: one search for all numbers of versions or workers finds what one search for each finds") {
  std::mt19937_64 random(23);
  int found = 0;
  int none = 0;
  for (int round = 0; round < 240; ++round) {
    const Profile profile = random_profile(random, 4 + static_cast<int>(random() % 6), round % 2 == 0);
    const Topology topology = random_topology(random, {2 + static_cast<int>(random() % 5)});
    const detail::PlanningStates states = detail::all_states(profile);
    detail::StageMemory memory(profile, states, 0.5);
    memory.set_limit(300 + static_cast<std::int64_t>(random() % 1200));
    const PaperOptions options{.straight = random() % 4 == 0, .use_all = random() % 4 == 0};
    const Search search{states, topology, options, memory};
    for (const Algorithm algorithm : {Algorithm::vertical_sync, Algorithm::gpipe, Algorithm::flush_1f1b}) {
      const bool has_versions = algorithm == Algorithm::vertical_sync;
      const auto slow = has_versions ? OneByOne(search).by_versions() : OneByOne(search).by_workers(algorithm);
      const auto fast = detail::fastest_within_memory(states, topology, options, memory, algorithm, 0);
      INFO(to_string(algorithm) << (options.straight ? ", straight" : "") << (options.use_all ? ", all" : ""));
      CHECK(text_of(fast) == text_of(slow));
      ++(fast ? found : none);
    }
  }
  CHECK(found > 100);
  CHECK(none > 100);
}
