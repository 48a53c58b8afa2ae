// The greatest of many sums, while what they are made of changes.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace pipedream::detail {

// Amounts that count over a range of positions, [first, end).
struct CountedRange {
  int first = 0;
  int end = 0;
  std::int64_t amount = 0;

  bool operator==(const CountedRange&) const = default;
};

// Each position has the sum of the amounts that count over it; those that were entered take part in the greatest. A
// change takes time logarithmic in the positions: a tree has, of each range of them, by how much the sum changes in it
// and the greatest sum, counted from the range's first position on.
class PeakTree {
 public:
  explicit PeakTree(int positions)
      : positions_(positions), leaves_(std::bit_ceil(static_cast<std::size_t>(positions))), nodes_(2 * leaves_) {}

  void add(const CountedRange& range) { add(range, range.amount); }
  void remove(const CountedRange& range) { add(range, -range.amount); }

  // `after` counts in place of `before`.
  void replace(const CountedRange& before, const CountedRange& after) {
    if (before == after) return;
    if (before.amount == after.amount && before.first == after.first &&
        before.first < std::min(before.end, after.end)) {
      change(before.end, before.amount);
      change(after.end, -after.amount);
      return;
    }
    remove(before);
    add(after);
  }

  // The position takes part, with so much beside its sum.
  void enter(int position, std::int64_t beside) {
    nodes_[leaf(position)].greatest = nodes_[leaf(position)].change + beside;
    update_above(leaf(position));
  }
  void leave(int position) {
    nodes_[leaf(position)].greatest = kNone;
    update_above(leaf(position));
  }

  // 0 where no position takes part.
  std::int64_t greatest() const { return nodes_[1].greatest == kNone ? 0 : everywhere_ + nodes_[1].greatest; }

  void clear() {
    everywhere_ = 0;
    std::fill(nodes_.begin(), nodes_.end(), Node{});
  }

 private:
  static constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::min();
  struct Node {
    std::int64_t change = 0;
    std::int64_t greatest = kNone;
  };

  std::size_t leaf(int position) const { return leaves_ + static_cast<std::size_t>(position); }

  void add(const CountedRange& range, std::int64_t amount) {
    if (range.first >= range.end) return;
    change(range.first, amount);
    change(range.end, -amount);
  }

  // From the position on.
  void change(int position, std::int64_t amount) {
    if (amount == 0 || position >= positions_) return;
    if (position == 0) {
      everywhere_ += amount;
      return;
    }
    Node& node = nodes_[leaf(position)];
    node.change += amount;
    if (node.greatest != kNone) node.greatest += amount;
    update_above(leaf(position));
  }

  void update_above(std::size_t index) {
    for (index /= 2; index > 0; index /= 2) {
      const Node& left = nodes_[2 * index];
      const Node& right = nodes_[2 * index + 1];
      nodes_[index].change = left.change + right.change;
      const std::int64_t later = right.greatest == kNone ? kNone : left.change + right.greatest;
      nodes_[index].greatest = std::max(left.greatest, later);
    }
  }

  int positions_;
  std::size_t leaves_;
  std::vector<Node> nodes_;
  std::int64_t everywhere_ = 0;
};

}  // namespace pipedream::detail
