// The communicator of one thread among the workers of a process.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "transport/advancing.h"
#include "transport/host_communicator.h"
#include "transport/in_process/world.h"
#include "transport/ledger.h"

namespace pipedream::detail {

class InProcessCommunicator final : public HostCommunicator {
 public:
  InProcessCommunicator(std::shared_ptr<World> world, int rank);

  int rank() const override { return rank_; }
  int size() const override { return world_->size(); }
  int local_size() const override { return world_->size(); }
  int local_rank() const override { return rank_; }

  std::unique_ptr<SendChannel> open_send(int peer, int id, ChannelOptions options) override;
  std::unique_ptr<ReceiveChannel> open_receive(int peer, int id, ChannelOptions options) override;
  std::unique_ptr<ReduceGroup> open_reduce(std::vector<int> members, int id, torch::Device device) override;
  std::vector<std::string> all_gather(std::string_view bytes) override;

  void progress() override;
  void note_progress() override { world_->note_progress(rank_); }
  void set_status(std::function<std::string()> status) override;
  void set_deadline(std::chrono::milliseconds deadline) override { deadline_ = deadline; }
  void abort(const std::string& cause) noexcept override;
  News exchange_news(bool device_progressed) override;
  std::vector<WorkerReport> reports() override { return world_->reports(); }

  // For the channels and groups of this worker.
  World& world() { return *world_; }
  // Returns when `ready` does, which counts as progress. Drives reductions meanwhile.
  void wait_until(const std::function<bool()>& ready, const WaitedFor& waited_for);
  void enlist(Advancing& reduction) { reductions_.insert(&reduction); }
  void dismiss(Advancing& reduction) { reductions_.erase(&reduction); }
  OpenIds sends, receives, groups;

 private:
  bool spin_until(const std::function<bool()>& ready);

  std::shared_ptr<World> world_;
  int rank_;
  std::chrono::milliseconds deadline_ = kDefaultDeadline;
  std::set<Advancing*> reductions_;
};

}  // namespace pipedream::detail
