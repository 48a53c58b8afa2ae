#include "cuda/connection.h"

#include <c10/cuda/CUDAStream.h>
#include <fmt/format.h>

#include <cstring>

#include "cuda/check.h"
#include "cuda/data_type.h"
#include "cuda/group.h"
#include "cuda/pause.h"
#include "pipedream/error.h"

namespace pipedream::detail {

namespace {

cudaStream_t native(const c10::Stream& stream) { return c10::cuda::CUDAStream(stream).stream(); }

ncclUniqueId unique_id(const std::string& bytes) {
  ncclUniqueId id;
  if (bytes.size() != sizeof id.internal) {
    throw CommunicationError(
        fmt::format("an id of NCCL's has {} bytes; given were {}", sizeof id.internal, bytes.size()));
  }
  std::memcpy(id.internal, bytes.data(), bytes.size());
  return id;
}

}  // namespace

Connection::~Connection() { abort(); }

void Connection::join(const NcclMembership& membership) {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  const ncclUniqueId id = unique_id(membership.id);
  Group::of_this_thread().add(*this);
  check_nccl(ncclCommInitRankConfig(&comm_, membership.size, id, membership.rank, &config), "ncclCommInitRankConfig");
}

void Connection::check_is_open() const {
  if (comm_ == nullptr) throw CommunicationError("the NCCL communicator has been aborted");
}

bool Connection::is_settled() {
  const std::lock_guard lock(mutex_);
  check_is_open();
  ncclResult_t state = ncclSuccess;
  check_nccl(ncclCommGetAsyncError(comm_, &state), "ncclCommGetAsyncError");
  check_nccl(state, "NCCL");
  return state == ncclSuccess;
}

void Connection::settle(const std::function<void()>& check) {
  Pause pause;
  while (!is_settled()) {
    if (check) check();
    pause.wait();
  }
}

// A group in which something failed is no operation that the others could join: it ends at once.
void Connection::queue(const char* call, const std::function<ncclResult_t()>& begin) {
  Group& group = Group::of_this_thread();
  const bool alone = !group.is_open();
  if (alone) group.start();
  try {
    const DeviceScope device(device_);
    group.add(*this);
    check_is_open();
    check_nccl(begin(), call);
  } catch (...) {
    group.drop();
    throw;
  }
  if (alone) group.end();
}

void Connection::send(const torch::Tensor& tensor, int peer, const c10::Stream& stream) {
  queue("ncclSend",
        [&] { return ncclSend(tensor.const_data_ptr(), tensor.nbytes(), ncclUint8, peer, comm_, native(stream)); });
}

void Connection::receive(const torch::Tensor& tensor, int peer, const c10::Stream& stream) {
  queue("ncclRecv",
        [&] { return ncclRecv(tensor.mutable_data_ptr(), tensor.nbytes(), ncclUint8, peer, comm_, native(stream)); });
}

void Connection::sum(const torch::Tensor& tensor, const c10::Stream& stream) {
  queue("ncclAllReduce", [&] {
    const ncclDataType_t type = nccl_type(tensor.scalar_type());
    void* const data = tensor.mutable_data_ptr();
    return ncclAllReduce(data, data, static_cast<std::size_t>(tensor.numel()), type, ncclSum, comm_, native(stream));
  });
}

// Who holds the lock finds out by itself.
std::optional<std::string> Connection::failure() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || comm_ == nullptr) return std::nullopt;
  ncclResult_t state = ncclSuccess;
  const ncclResult_t result = ncclCommGetAsyncError(comm_, &state);
  if (result != ncclSuccess) return nccl_text(result, "ncclCommGetAsyncError");
  if (state == ncclSuccess || state == ncclInProgress) return std::nullopt;
  return nccl_text(state, "NCCL");
}

void Connection::abort() noexcept {
  Group& group = Group::of_this_thread();
  if (group.holds(*this)) group.drop();
  const std::lock_guard lock(mutex_);
  if (comm_ == nullptr) return;
  ncclCommAbort(comm_);
  comm_ = nullptr;
}

}  // namespace pipedream::detail
