// Data by index: microbatch k of a run is a function of k alone, so any worker can fetch its part.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace pipedream {

// Rows of named tensors. fetch is const and called from several threads at once; the same rows give the same values.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::int64_t size() const = 0;
  virtual std::vector<std::string> names() const = 0;
  // The named tensor for these rows, rows first.
  virtual torch::Tensor fetch(const std::string& name, const std::vector<std::int64_t>& rows) const = 0;
};

// Everything in memory; what fetch returns is a copy. Throws ConfigError where the tensors differ in rows, and for
// unknown names and rows.
class TensorDataset : public Dataset {
 public:
  explicit TensorDataset(std::map<std::string, torch::Tensor> tensors);
  std::int64_t size() const override;
  std::vector<std::string> names() const override;
  torch::Tensor fetch(const std::string& name, const std::vector<std::int64_t>& rows) const override;

 private:
  std::map<std::string, torch::Tensor> tensors_;
};

// Which rows microbatch k holds. Epoch e = k / microbatches_per_epoch(), j = k mod that; the microbatch is positions
// [j*b, min((j+1)*b, rows)) of the epoch's order: file order, or with shuffle a Fisher-Yates shuffle of it by
// std::mt19937_64 seeded with XXH64("shuffle", seed, e): for i = rows-1 down to 1, position i is swapped with position
// draw(i+1), where draw(n) takes the engine's next value x that is below the last multiple of n up to 2^64, and is
// x mod n. The last microbatch of an epoch may be smaller. Keeps the order of the last epoch asked for: one thread
// each. Throws ConfigError on no rows, a microbatch size below 1, a negative microbatch.
class MicrobatchSampler {
 public:
  MicrobatchSampler(std::int64_t rows, std::int64_t microbatch_size, bool shuffle, std::uint64_t seed);
  std::int64_t microbatches_per_epoch() const;
  std::vector<std::int64_t> rows(std::int64_t microbatch) const;
  // How many those are.
  std::int64_t size_of(std::int64_t microbatch) const;

 private:
  std::int64_t rows_;
  std::int64_t microbatch_size_;
  bool shuffle_;
  std::uint64_t seed_;
  mutable std::int64_t epoch_ = -1;  // of order_
  mutable std::vector<std::int64_t> order_;
};

}  // namespace pipedream
