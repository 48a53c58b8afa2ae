// Brings losses and metrics from the device to the host, in order, without making the host wait.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "pipedream/layer_graph.h"
#include "transport/stream_mark.h"

namespace pipedream::detail {

// A microbatch's loss and metrics, where they are computed.
struct Scores {
  std::int64_t microbatch = 0;  // of the segment
  double loss = 0;
  double weight = 0;
  std::vector<double> metrics;
  std::vector<double> metric_weights;
};

using OnScores = std::function<void(const Scores&)>;

class ScoreReader {
 public:
  ScoreReader() = default;
  explicit ScoreReader(OnScores on_scores) : on_scores_(std::move(on_scores)) {}

  // values: scalars, the loss and then the metrics, which `scores` does not have yet. Hands over what has arrived.
  void add(Scores scores, const Tensors& values);
  // Waits for what is on its way, and hands it over.
  void finish();

 private:
  struct Pending {
    Scores scores;
    torch::Tensor values;
    StreamMark copied;
  };
  void hand_over();

  OnScores on_scores_;
  std::deque<Pending> pending_;
};

}  // namespace pipedream::detail
