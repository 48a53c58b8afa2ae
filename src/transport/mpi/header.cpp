#include "transport/mpi/header.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstring>

#include "pipedream/error.h"

namespace pipedream::detail {

namespace {

// As many as LibTorch's elementwise operations take.
constexpr std::int64_t kMostDimensions = 64;

struct FixedPart {
  std::int64_t index;
  double weight;
  std::int32_t tensors;
  std::int32_t slots;
};

// Followed by the sizes, then the strides.
struct FramePart {
  std::int64_t bytes;
  std::int16_t dtype;
  std::int16_t dimensions;  // -1: undefined
  std::int32_t meta;
};

template <typename T>
void put(std::vector<char>& to, const T* values, std::size_t count) {
  const auto* bytes = reinterpret_cast<const char*>(values);
  to.insert(to.end(), bytes, bytes + count * sizeof(T));
}

template <typename T>
void get(const char*& from, T* values, std::size_t count) {
  std::memcpy(values, from, count * sizeof(T));
  from += count * sizeof(T);
}

void read_frame(const char*& from, TensorFrame& frame) {
  FramePart part;
  get(from, &part, 1);
  frame.defined = part.dimensions >= 0;
  frame.meta = part.meta != 0;
  frame.bytes = part.bytes;
  if (!frame.defined) return;
  frame.dtype = static_cast<at::ScalarType>(part.dtype);
  const auto dimensions = static_cast<std::size_t>(part.dimensions);
  frame.sizes.resize(dimensions);
  frame.strides.resize(dimensions);
  get(from, frame.sizes.data(), dimensions);
  get(from, frame.strides.data(), dimensions);
}

}  // namespace

std::size_t header_room(int tensors) {
  return sizeof(FixedPart) +
         static_cast<std::size_t>(tensors) * (sizeof(FramePart) + 2 * kMostDimensions * sizeof(std::int64_t)) + 1;
}

void check_dimensions(const at::Tensor& tensor, const std::string& name) {
  if (tensor.dim() > kMostDimensions) {
    throw ConfigError(
        fmt::format("{}: a tensor of {} dimensions; at most {} can be sent", name, tensor.dim(), kMostDimensions));
  }
}

void write_header(const Message& message, std::int64_t index, ChannelOptions options, std::vector<char>& to) {
  to.clear();
  const FixedPart fixed{index, message.weight, options.tensors, options.slots};
  put(to, &fixed, 1);
  for (const at::Tensor& tensor : message.tensors) {
    if (!tensor.defined()) {
      const FramePart part{0, 0, -1, 0};
      put(to, &part, 1);
      continue;
    }
    const FramePart part{payload_bytes(tensor), static_cast<std::int16_t>(tensor.scalar_type()),
                         static_cast<std::int16_t>(tensor.dim()), tensor.is_meta() ? 1 : 0};
    put(to, &part, 1);
    put(to, tensor.sizes().data(), tensor.sizes().size());
    put(to, tensor.strides().data(), tensor.strides().size());
  }
  to.push_back(0);
}

bool same_but_index(const std::vector<char>& one, const std::vector<char>& other) {
  constexpr auto after_index = offsetof(FixedPart, weight);
  return one.size() == other.size() && !one.empty() &&
         std::memcmp(one.data() + after_index, other.data() + after_index, one.size() - after_index) == 0;
}

void read_header(const char* from, std::int64_t index, ChannelOptions options, const std::string& name,
                 Header& header) {
  FixedPart fixed;
  get(from, &fixed, 1);
  if (fixed.tensors != options.tensors || fixed.slots != options.slots) {
    throw ConfigError(fmt::format("{}: one end has {} tensors and {} slots, the other {} and {}", name, fixed.tensors,
                                  fixed.slots, options.tensors, options.slots));
  }
  if (fixed.index != index) {
    throw CommunicationError(fmt::format("{}: message {} came where message {} should", name, fixed.index, index));
  }
  header.weight = fixed.weight;
  header.tensors.resize(static_cast<std::size_t>(options.tensors));
  for (TensorFrame& frame : header.tensors) read_frame(from, frame);
}

std::int64_t payload_bytes(const at::Tensor& tensor) {
  return tensor.defined() && !tensor.is_meta() ? tensor.numel() * static_cast<std::int64_t>(tensor.element_size()) : 0;
}

}  // namespace pipedream::detail
