// Sums over threads: member i adds up the i-th chunk of all buffers, then everyone copies the chunks of the others.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "pipedream/communicator.h"
#include "transport/in_process/communicator.h"
#include "transport/ledger.h"
#include "transport/stream_mark.h"
#include "transport/sum.h"

namespace pipedream::detail {

// One sum: what each member gave, by place, and how many members have finished each step.
struct Round {
  explicit Round(std::size_t members)
      : buffers(members), weights(members), post_marks(members), sum_marks(members), copy_marks(members) {}
  std::mutex mutex;
  std::optional<SumOffer> first;  // of the member that posted first, the measure for the others; guarded by mutex
  std::vector<at::Tensor> buffers;
  std::vector<double> weights;
  // By place, where a member's stream had finished each step; read by the others once they are counted.
  std::vector<StreamMark> post_marks, sum_marks, copy_marks;
  std::atomic<int> posted{0};
  std::atomic<int> summed{0};
  std::atomic<int> copied{0};
};

struct SharedGroup {
  MeetingTable<int, Round> rounds;  // one key, 0
};

class InProcessReduceGroup final : public ReduceGroup, public Advancing {
 public:
  InProcessReduceGroup(InProcessCommunicator& communicator, std::vector<int> members, int place, int id);
  ~InProcessReduceGroup() override;
  void post(torch::Tensor buffer, double weight, std::vector<bool> present) override;
  double wait() override;
  void advance() override;

 private:
  enum class Step { sum, copy, finish, done };
  struct Posted {
    std::shared_ptr<Round> round;
    std::vector<bool> present;
    Step step = Step::sum;
  };
  bool advance(Posted& posted);
  at::Tensor chunk(const at::Tensor& buffer, int place) const;
  void sum_own_chunk(Round& round, const std::vector<bool>& present) const;
  void copy_other_chunks(Round& round) const;
  void come_after(const std::vector<StreamMark>& marks, const Round& round) const;
  StreamMark mark(const Round& round) const;
  void ring_members();
  int count() const { return static_cast<int>(members_.size()); }

  InProcessCommunicator& communicator_;
  const std::vector<int> members_;
  const int place_;
  const int id_;
  Ledger ledger_;
  std::shared_ptr<SharedGroup> shared_;
  std::deque<Posted> posted_;
};

}  // namespace pipedream::detail
