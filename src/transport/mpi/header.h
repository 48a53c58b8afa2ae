// What is said of a message before its payload: the tensors' kinds, shapes and strides, and the weight.
//
// Its room is fixed, so that its receive can be posted ahead; only what is used of it is sent.
#pragma once

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "pipedream/communicator.h"

namespace pipedream::detail {

struct TensorFrame {
  bool defined = false;
  at::ScalarType dtype = at::kFloat;
  std::int64_t bytes = 0;  // of the payload
  std::vector<std::int64_t> sizes;
  std::vector<std::int64_t> strides;
};

struct Header {
  double weight = 0;
  std::vector<TensorFrame> tensors;
};

// Bytes of the largest header of such a channel.
std::size_t header_room(int tensors);

// ConfigError for more dimensions than a header has room for.
void check_dimensions(const at::Tensor& tensor, const std::string& name);

// Writes the header of a message of dense tensors to `to`, which has header_room, and returns the bytes used.
std::size_t write_header(const Message& message, std::int64_t index, ChannelOptions options, char* to);

// Reads into `header`, whose memory is used again. Throws ConfigError if the other end was opened with other options,
// CommunicationError if it is not the header of message `index`.
void read_header(const char* from, std::int64_t index, ChannelOptions options, const std::string& name, Header& header);

// Bytes of a dense tensor's payload, 0 if it is undefined.
std::int64_t payload_bytes(const at::Tensor& tensor);

}  // namespace pipedream::detail
