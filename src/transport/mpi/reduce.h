// Sums over MPI: member i adds up the i-th chunk, then sends the sum to the others; large buffers in segments, two of
// them under way. What each member moves is 2 (r-1)/r of the buffer in each direction.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <deque>
#include <vector>

#include "pipedream/communicator.h"
#include "transport/ledger.h"
#include "transport/mpi/engine.h"
#include "transport/mpi/requests.h"
#include "transport/stream_mark.h"
#include "transport/sum.h"

namespace pipedream::detail {

class MpiReduceGroup final : public ReduceGroup, public Advancing {
 public:
  MpiReduceGroup(Engine& engine, std::vector<int> members, int place, int id);
  ~MpiReduceGroup() override;
  void post(torch::Tensor buffer, double weight, std::vector<bool> present) override;
  double wait() override;
  void advance() override;

 private:
  enum class Kind { offer, addend, sum };
  struct Range {
    std::int64_t begin, size;
  };
  // A part of the buffer, itself cut into a chunk for each member.
  struct Segment {
    Range range{};
    std::vector<at::Tensor> addends;  // of this member's chunk, in order; own one included
    Requests receives, sends;         // first of addends, then of sums
    bool summed = false;
  };
  struct Round {
    std::int64_t index = 0;
    at::Tensor buffer;         // of the host
    at::Tensor device_buffer;  // the one that was posted, where it is of a device
    StreamMark copied;         // to the host
    SumOffer mine;
    std::vector<double> weights;
    std::vector<char> offer;                // sent
    std::vector<std::vector<char>> offers;  // received, by place
    Requests offer_sends, offer_receives;
    bool agreed = false;
    std::int64_t started = 0;  // elements in segments that have started
    std::deque<Segment> segments;
    Load load;
    bool done = false;
  };

  int count() const { return static_cast<int>(members_.size()); }
  int tag(std::int64_t index, Kind kind) const;
  Range chunk(const Segment& segment, int place) const;
  void exchange_offers(Round& round, double weight);
  void read_offers(Round& round);
  void advance(Round& round);
  bool advance(Round& round, Segment& segment);
  void start_segment(Round& round);
  void share_sum(Round& round, Segment& segment);
  void give_up(Round& round) noexcept;

  Engine& engine_;
  const std::vector<int> members_;
  const int place_;
  const int id_;
  Ledger ledger_;
  std::deque<Round> rounds_;
};

}  // namespace pipedream::detail
