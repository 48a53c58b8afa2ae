// The living part of a sequence: entries from the first that is not yet dropped on, in a ring that grows as needed.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace pipedream::detail {

template <class T>
class Window {
 public:
  // Not dropped before. An entry that was never asked for is T{}.
  T& operator[](std::int64_t index) {
    if (index - first_ >= static_cast<std::int64_t>(ring_.size())) grow(index);
    return at(index);
  }

  void drop_before(std::int64_t index) {
    for (; first_ < index; ++first_) (*this)[first_] = T{};
  }

  std::int64_t first() const { return first_; }

 private:
  // The size is a power of 2.
  T& at(std::int64_t index) { return ring_[static_cast<std::size_t>(index) & (ring_.size() - 1)]; }

  void grow(std::int64_t index) {
    Window larger;
    std::size_t size = ring_.empty() ? 4 : ring_.size();
    while (index - first_ >= static_cast<std::int64_t>(size)) size *= 2;
    larger.ring_.resize(size);
    for (std::size_t i = 0; i < ring_.size(); ++i) {
      const std::int64_t kept = first_ + static_cast<std::int64_t>(i);
      larger.at(kept) = std::move(at(kept));
    }
    ring_ = std::move(larger.ring_);
  }

  std::vector<T> ring_;
  std::int64_t first_ = 0;
};

}  // namespace pipedream::detail
