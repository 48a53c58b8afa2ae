// Sets of layers as bits.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pipedream::detail {

class LayerSet {
 public:
  LayerSet() = default;
  explicit LayerSet(int layers) : words_((static_cast<std::size_t>(layers) + 63) / 64, 0) {}

  bool contains(int layer) const { return (words_[word(layer)] & bit(layer)) != 0; }
  void insert(int layer) { words_[word(layer)] |= bit(layer); }
  void erase(int layer) { words_[word(layer)] &= ~bit(layer); }

  LayerSet& operator|=(const LayerSet& other) {
    for (std::size_t w = 0; w < words_.size(); ++w) words_[w] |= other.words_[w];
    return *this;
  }

  bool is_subset_of(const LayerSet& other) const {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      if ((words_[w] & ~other.words_[w]) != 0) return false;
    }
    return true;
  }

  int size() const {
    int count = 0;
    for (const std::uint64_t word : words_) count += std::popcount(word);
    return count;
  }

  // The first layer that is either here and not in `without`, or in `other`; -1: there is none.
  int first_difference(const LayerSet& other, const LayerSet& without) const {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      const std::uint64_t difference = (words_[w] & ~without.words_[w]) ^ other.words_[w];
      if (difference != 0) return static_cast<int>(w * 64) + std::countr_zero(difference);
    }
    return -1;
  }

  // Calls visit(layer) for each layer that is here and not in `without`, ascending, from layer `first` on.
  template <class Visit>
  void for_each_without(const LayerSet& without, Visit visit, int first = 0) const {
    std::uint64_t asked = ~(bit(first) - 1);
    for (std::size_t w = word(first); w < words_.size(); ++w, asked = ~std::uint64_t{0}) {
      std::uint64_t rest = words_[w] & ~without.words_[w] & asked;
      for (; rest != 0; rest &= rest - 1) visit(static_cast<int>(w * 64) + std::countr_zero(rest));
    }
  }

  template <class Visit>
  void for_each(Visit visit) const {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      for (std::uint64_t rest = words_[w]; rest != 0; rest &= rest - 1) {
        visit(static_cast<int>(w * 64) + std::countr_zero(rest));
      }
    }
  }

  std::uint64_t hash() const {
    std::uint64_t result = 0xcbf29ce484222325;
    for (const std::uint64_t word : words_) result = (result ^ (word + (word >> 29))) * 0x9e3779b97f4a7c15;
    return result ^ (result >> 32);
  }

  bool operator==(const LayerSet&) const = default;

 private:
  static std::size_t word(int layer) { return static_cast<std::size_t>(layer) / 64; }
  static std::uint64_t bit(int layer) { return std::uint64_t{1} << (static_cast<unsigned>(layer) % 64); }

  std::vector<std::uint64_t> words_;
};

struct LayerSetHash {
  std::size_t operator()(const LayerSet& set) const { return set.hash(); }
};

}  // namespace pipedream::detail
