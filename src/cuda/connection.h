// One worker's end of an NCCL communicator.
//
// The communicator is non-blocking: a call returns at once, and until NCCL has done what it needs the host for, it
// answers ncclInProgress. The lock lets one thread abort the communicator while another one asks or queues: abort frees
// it.
#pragma once

#include <nccl.h>

#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "transport/nccl/calls.h"

namespace pipedream::detail {

class Connection final : public NcclConnection {
 public:
  explicit Connection(torch::Device device) : device_(device) {}
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Begins to join; to be called within a group.
  void join(const NcclMembership& membership);
  // Returns when NCCL needs the host no more for what was begun. `check` is called meanwhile and throws to give up.
  void settle(const std::function<void()>& check = {});

  void send(const torch::Tensor& tensor, int peer, const c10::Stream& stream) override;
  void receive(const torch::Tensor& tensor, int peer, const c10::Stream& stream) override;
  void sum(const torch::Tensor& tensor, const c10::Stream& stream) override;

  std::optional<std::string> failure() override;
  void abort() noexcept override;

 private:
  friend class Group;

  void queue(const char* call, const std::function<ncclResult_t()>& begin);
  void check_is_open() const;
  bool is_settled();

  torch::Device device_;
  std::mutex mutex_;
  ncclComm_t comm_ = nullptr;
};

}  // namespace pipedream::detail
