#include "partitioner/peak_tree.h"

#include <catch2/catch.hpp>
#include <random>

using namespace pipedream::detail;

namespace {

// Sum by sum.
struct SlowPeaks {
  std::vector<std::int64_t> sums;
  std::vector<std::int64_t> beside;
  std::vector<char> takes_part;

  void add(const CountedRange& range, int sign) {
    for (int i = range.first; i < std::min(range.end, static_cast<int>(sums.size())); ++i) {
      sums[static_cast<std::size_t>(i)] += sign * range.amount;
    }
  }
  std::int64_t greatest() const {
    std::int64_t greatest = 0;
    bool is_first = true;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      if (!takes_part[i]) continue;
      greatest = is_first ? sums[i] + beside[i] : std::max(greatest, sums[i] + beside[i]);
      is_first = false;
    }
    return greatest;
  }
};

CountedRange draw_range(std::mt19937_64& random, int positions) {
  const auto below = [&](int count) { return static_cast<int>(random() % static_cast<std::uint64_t>(count)); };
  return {below(positions), below(positions + 2), below(200) - 100};
}

}  // namespace

TEST_CASE("the greatest of many sums is found after every change") {
  std::mt19937_64 random(22);
  for (const int positions : {1, 2, 3, 8, 13}) {
    const auto size = static_cast<std::size_t>(positions);
    PeakTree tree(positions);
    SlowPeaks slow{std::vector<std::int64_t>(size), std::vector<std::int64_t>(size), std::vector<char>(size)};
    CountedRange last;
    for (int step = 0; step < 2000; ++step) {
      const CountedRange range = draw_range(random, positions);
      const int position = range.first;
      const auto index = static_cast<std::size_t>(position);
      if (step % 5 == 0 && slow.takes_part[index]) {
        tree.leave(position);
        slow.takes_part[index] = 0;
      } else if (step % 5 == 0) {
        tree.enter(position, range.amount);
        slow.beside[index] = range.amount;
        slow.takes_part[index] = 1;
      } else if (step % 5 == 1) {
        CountedRange other = random() % 2 == 0 ? last : range;
        other.end = range.end;
        tree.replace(last, other);
        slow.add(last, -1);
        slow.add(other, 1);
        last = other;
      } else {
        tree.remove(last);
        tree.add(range);
        slow.add(last, -1);
        slow.add(range, 1);
        last = range;
      }
      REQUIRE(tree.greatest() == slow.greatest());
    }
    tree.clear();
    CHECK(tree.greatest() == 0);
  }
}
