// The communicator over MPI: a thin face of the engine.
#include <utility>

#include "pipedream/mpi_communicator.h"
#include "transport/host_communicator.h"
#include "transport/ledger.h"
#include "transport/mpi/channel.h"
#include "transport/mpi/engine.h"
#include "transport/mpi/gather.h"
#include "transport/mpi/reduce.h"

namespace pipedream {

namespace detail {

namespace {

class MpiCommunicator final : public HostCommunicator {
 public:
  MpiCommunicator(MPI_Comm parent, const MpiOptions& options) : engine_(parent, options) {
    const MpiLock lock(mpi_mutex());
    MPI_Comm local = MPI_COMM_NULL;
    check_mpi(MPI_Comm_split_type(engine_.messages, MPI_COMM_TYPE_SHARED, rank(), MPI_INFO_NULL, &local),
              "MPI_Comm_split_type");
    check_mpi(MPI_Comm_size(local, &local_size_), "MPI_Comm_size");
    check_mpi(MPI_Comm_rank(local, &local_rank_), "MPI_Comm_rank");
    check_mpi(MPI_Comm_free(&local), "MPI_Comm_free");
  }

  int rank() const override { return engine_.control.rank(); }
  int size() const override { return engine_.control.size(); }
  int local_size() const override { return local_size_; }
  int local_rank() const override { return local_rank_; }

  std::unique_ptr<SendChannel> open_send(int peer, int id, ChannelOptions options) override {
    check_channel(rank(), peer, id, size(), options);
    return std::make_unique<MpiSendChannel>(engine_, peer, id, options);
  }
  std::unique_ptr<ReceiveChannel> open_receive(int peer, int id, ChannelOptions options) override {
    check_channel(peer, rank(), id, size(), options);
    return std::make_unique<MpiReceiveChannel>(engine_, peer, id, options);
  }
  std::unique_ptr<ReduceGroup> open_reduce(std::vector<int> members, int id, torch::Device) override {
    const int place = check_members(members, id, rank(), size());
    return std::make_unique<MpiReduceGroup>(engine_, std::move(members), place, id);
  }
  std::vector<std::string> all_gather(std::string_view bytes) override { return gather(engine_, bytes); }

  void progress() override { engine_.progress(); }
  void note_progress() override { engine_.control.note_progress(); }
  void set_status(std::function<std::string()> status) override {
    const MpiLock lock(mpi_mutex());
    engine_.control.set_status(std::move(status));
  }
  void set_deadline(std::chrono::milliseconds deadline) override {
    const MpiLock lock(mpi_mutex());
    engine_.control.set_deadline(deadline);
  }
  void abort(const std::string& cause) noexcept override { engine_.abort(cause); }
  News exchange_news(bool device_progressed) override { return engine_.exchange_news(device_progressed); }
  std::vector<WorkerReport> reports() override { return engine_.reports(); }

 private:
  Engine engine_;
  int local_size_ = 1;
  int local_rank_ = 0;
};

}  // namespace

}  // namespace detail

std::unique_ptr<Communicator> make_mpi_communicator(MPI_Comm parent, const MpiOptions& options) {
  return std::make_unique<detail::MpiCommunicator>(parent, options);
}

}  // namespace pipedream
