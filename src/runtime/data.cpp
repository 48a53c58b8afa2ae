#include "pipedream/data.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/index_select.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <utility>

#include "pipedream/error.h"
#include "runtime/random.h"

namespace pipedream {
namespace {

// Uniform over [0, bound): values past the last multiple of bound are drawn again, so that none is favoured.
std::uint64_t draw_below(std::mt19937_64& engine, std::uint64_t bound) {
  const std::uint64_t excess = (0 - bound) % bound;  // 2^64 mod bound
  std::uint64_t value = engine();
  while (value > UINT64_MAX - excess) value = engine();
  return value % bound;
}

void shuffle(std::vector<std::int64_t>& order, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  for (std::size_t last = order.size(); last > 1; --last) {
    std::swap(order[last - 1], order[draw_below(engine, last)]);
  }
}

bool are_consecutive(const std::vector<std::int64_t>& rows) {
  return std::adjacent_find(rows.begin(), rows.end(),
                            [](std::int64_t row, std::int64_t next) { return next != row + 1; }) == rows.end();
}

}  // namespace

TensorDataset::TensorDataset(std::map<std::string, torch::Tensor> tensors) : tensors_(std::move(tensors)) {
  if (tensors_.empty()) throw ConfigError("TensorDataset: no tensors");
  const auto& [first_name, first] = *tensors_.begin();
  for (const auto& [name, tensor] : tensors_) {
    if (!tensor.defined() || tensor.dim() == 0) {
      throw ConfigError(fmt::format("TensorDataset: tensor '{}' has no rows (undefined or a scalar)", name));
    }
    if (tensor.size(0) != first.size(0)) {
      throw ConfigError(fmt::format("TensorDataset: tensor '{}' has {} rows, tensor '{}' has {}", first_name,
                                    first.size(0), name, tensor.size(0)));
    }
  }
}

std::int64_t TensorDataset::size() const { return tensors_.begin()->second.size(0); }

std::vector<std::string> TensorDataset::names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

torch::Tensor TensorDataset::fetch(const std::string& name, const std::vector<std::int64_t>& rows) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    throw ConfigError(fmt::format("TensorDataset: no tensor '{}'; there are: {}", name, fmt::join(names(), ", ")));
  }
  for (const std::int64_t row : rows) {
    if (row < 0 || row >= size()) {
      throw ConfigError(fmt::format("TensorDataset: row {} of tensor '{}', which has {} rows", row, name, size()));
    }
  }
  if (!rows.empty() && are_consecutive(rows)) {
    return found->second.narrow(0, rows.front(), static_cast<std::int64_t>(rows.size()))
        .clone(at::MemoryFormat::Contiguous);
  }
  const torch::Tensor index =
      at::from_blob(const_cast<std::int64_t*>(rows.data()), {static_cast<std::int64_t>(rows.size())}, torch::kInt64);
  return at::index_select(found->second, 0, index.to(found->second.device()));
}

MicrobatchSampler::MicrobatchSampler(std::int64_t rows, std::int64_t microbatch_size, bool shuffle, std::uint64_t seed)
    : rows_(rows), microbatch_size_(microbatch_size), shuffle_(shuffle), seed_(seed) {
  if (rows < 1) throw ConfigError(fmt::format("the data has {} rows; at least 1 is needed", rows));
  if (microbatch_size < 1)
    throw ConfigError(fmt::format("the microbatch size is {}; it must be 1 or more", microbatch_size));
}

std::int64_t MicrobatchSampler::microbatches_per_epoch() const {
  return rows_ / microbatch_size_ + (rows_ % microbatch_size_ != 0 ? 1 : 0);
}

std::int64_t MicrobatchSampler::size_of(std::int64_t microbatch) const {
  return std::min(microbatch_size_, rows_ - microbatch % microbatches_per_epoch() * microbatch_size_);
}

std::vector<std::int64_t> MicrobatchSampler::rows(std::int64_t microbatch) const {
  if (microbatch < 0) throw ConfigError(fmt::format("microbatch {} does not exist", microbatch));
  const std::int64_t epoch = microbatch / microbatches_per_epoch();
  const std::int64_t first = microbatch % microbatches_per_epoch() * microbatch_size_;
  const std::int64_t count = size_of(microbatch);
  std::vector<std::int64_t> rows(static_cast<std::size_t>(count));
  if (!shuffle_) {
    std::iota(rows.begin(), rows.end(), first);
    return rows;
  }
  if (epoch != epoch_) {
    order_.resize(static_cast<std::size_t>(rows_));
    std::iota(order_.begin(), order_.end(), 0);
    pipedream::shuffle(order_, shuffle_seed(seed_, epoch));
    epoch_ = epoch;
  }
  std::copy_n(order_.begin() + first, count, rows.begin());
  return rows;
}

}  // namespace pipedream
