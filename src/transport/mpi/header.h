// What is said of a message before its payload: the tensors' kinds, shapes and strides, and the weight.
//
// Its room is fixed, so that its receive can be posted ahead; only what is used of it is sent, and nothing of it where
// the message is like the one before (channel.h).
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
  bool meta = false;  // of the meta device: it has no payload
  at::ScalarType dtype = at::kFloat;
  std::int64_t bytes = 0;  // of the payload
  std::vector<std::int64_t> sizes;
  std::vector<std::int64_t> strides;
};

struct Header {
  double weight = 0;
  std::vector<TensorFrame> tensors;
};

// Bytes of the largest header of such a channel, the spare one included.
std::size_t header_room(int tensors);

// ConfigError for more dimensions than a header has room for.
void check_dimensions(const at::Tensor& tensor, const std::string& name);

// Makes `to` the header of a message of dense tensors, and one spare byte: it may be sent with or without.
void write_header(const Message& message, std::int64_t index, ChannelOptions options, std::vector<char>& to);

// Whether two headers differ in nothing but the index.
bool same_but_index(const std::vector<char>& one, const std::vector<char>& other);

// Reads into `header`, whose memory is used again. Throws ConfigError if the other end was opened with other options,
// CommunicationError if it is not the header of message `index`.
void read_header(const char* from, std::int64_t index, ChannelOptions options, const std::string& name, Header& header);

// Bytes of a dense tensor's payload, 0 if it is undefined.
std::int64_t payload_bytes(const at::Tensor& tensor);

}  // namespace pipedream::detail
