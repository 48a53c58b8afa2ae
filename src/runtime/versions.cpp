#include "runtime/versions.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

constexpr std::int64_t kAlignment = 64;

// Bytes from the first to behind the last element.
std::int64_t span_bytes(const torch::Tensor& t) {
  if (t.numel() == 0) return 0;
  std::int64_t last = 0;
  for (std::int64_t d = 0; d < t.dim(); ++d) last += (t.size(d) - 1) * t.stride(d);
  return (last + 1) * static_cast<std::int64_t>(t.element_size());
}

std::int64_t aligned(std::int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

FlatTensors::FlatTensors(const Tensors& like) {
  const torch::NoGradGuard no_gradient;
  std::int64_t total = 0;
  for (const auto& t : like) total += aligned(span_bytes(t));
  const auto device = like.empty() ? torch::Device(torch::kCPU) : like.front().device();
  bytes_ = torch::zeros({total}, torch::dtype(torch::kUInt8).device(device));
  std::int64_t offset = 0;
  for (const auto& t : like) {
    const std::int64_t bytes = span_bytes(t);
    views_.push_back(bytes_.narrow(0, offset, bytes).view(t.scalar_type()).as_strided(t.sizes(), t.strides()));
    offset += aligned(bytes);
  }
}

VersionStore::VersionStore(Tensors parameters) : parameters_(std::move(parameters)) {
  const torch::NoGradGuard no_gradient;
  held_.push_back({0, take_buffer()});
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    buffers_[0].views()[i].copy_(parameters_[i]);
    masters_.push_back(torch::empty({0}, parameters_[i].options().requires_grad(false)));
  }
  point_at(parameters_, buffers_[0]);
  point_at(masters_, buffers_[0]);
}

void VersionStore::point_at(const Tensors& tensors, const FlatTensors& buffer) {
  const Tensors& views = buffer.views();
  for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i].set_data(views[i]);
}

std::size_t VersionStore::take_buffer() {
  if (unused_.empty()) {
    buffers_.emplace_back(parameters_);
    return buffers_.size() - 1;
  }
  const std::size_t buffer = unused_.back();
  unused_.pop_back();
  return buffer;
}

std::size_t VersionStore::buffer_of(std::int64_t version) const {
  for (const Held& held : held_) {
    if (held.version == version) return held.buffer;
  }
  throw Error(fmt::format("weight version {} is not held; the newest is {}", version, newest_));
}

void VersionStore::bind(std::int64_t version) {
  if (version == bound_) return;
  point_at(parameters_, buffers_[buffer_of(version)]);
  bound_ = version;
}

void VersionStore::bind_to(const FlatTensors& buffer) {
  point_at(parameters_, buffer);
  bound_ = kElsewhere;
}

double VersionStore::distance_to_newest(std::int64_t version) const {
  if (version == newest_ || parameters_.empty()) return 0;
  const torch::NoGradGuard no_gradient;
  const Tensors& old = buffers_[buffer_of(version)].views();
  torch::Tensor difference = torch::zeros({}, parameters_.front().options().dtype(torch::kDouble).requires_grad(false));
  torch::Tensor size = difference.clone();
  for (std::size_t i = 0; i < masters_.size(); ++i) {
    difference += torch::linalg_vector_norm(old[i] - masters_[i]).to(torch::kDouble).square();
    size += torch::linalg_vector_norm(masters_[i]).to(torch::kDouble).square();
  }
  return (difference / size).sqrt().item<double>();
}

void VersionStore::update(KeepOld keep, const std::function<void(const Tensors& old)>& step) {
  const std::size_t old_buffer = buffer_of(newest_);
  if (keep != KeepOld::no) {
    const std::size_t buffer = take_buffer();
    if (keep == KeepOld::copy) buffers_[buffer].bytes().copy_(buffers_[old_buffer].bytes());
    point_at(masters_, buffers_[buffer]);
    held_.push_back({newest_ + 1, buffer});
    ++copies_;
  } else {
    const auto newest = std::find_if(held_.begin(), held_.end(), [&](auto& held) { return held.version == newest_; });
    newest->version = newest_ + 1;
    if (bound_ == newest_) bound_ = newest_ + 1;  // the same storage
  }
  ++newest_;
  peak_ = std::max(peak_, static_cast<int>(held_.size()));
  step(buffers_[old_buffer].views());
}

void VersionStore::free(std::int64_t version) {
  if (version == newest_) return;
  const auto held = std::find_if(held_.begin(), held_.end(), [&](auto& h) { return h.version == version; });
  if (held == held_.end()) throw Error(fmt::format("weight version {} is freed but not held", version));
  unused_.push_back(held->buffer);
  held_.erase(held);
}

}  // namespace pipedream::detail
