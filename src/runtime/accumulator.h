// Sums the gradients of one update on one worker, in the fixed arithmetic of docs/algorithms.md:
// acc += (n_k / n*) g(k) in ascending k, then over the replicas 0..r-1, then one division by sum_k n_k / n*; a factor
// or divisor of exactly 1 is not applied. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "pipedream/communicator.h"
#include "pipedream/layer_graph.h"
#include "runtime/versions.h"

namespace pipedream::detail {

class GradientAccumulator {
 public:
  // nominal_weight: n*, the configured size of a microbatch. group: null where the stage has one replica.
  GradientAccumulator(Tensors parameters, std::unique_ptr<ReduceGroup> group);

  void set_nominal_weight(double weight) { nominal_weight_ = weight; }
  // only: no other microbatch adds to this update on this worker, so the gradients need no copy.
  void add(Tensors gradients, double weight, bool only);
  // Starts the sum over the replicas; present[q]: replica q has added something.
  void reduce_post(std::vector<bool> present);
  void reduce_wait();
  // The gradients of the oldest complete update, valid until release(); what was added since belongs to the next
  // update.
  Tensors take();
  void release();

 private:
  struct Sum {
    Tensors gradients;                  // by parameter
    std::unique_ptr<FlatTensors> flat;  // with replicas: what the gradients are views of
    double weight = 0;                  // sum of n_k
  };

  void open_flat();
  Sum close();

  Tensors parameters_;
  std::unique_ptr<ReduceGroup> group_;
  double nominal_weight_ = 1;
  Sum open_;
  std::deque<Sum> pending_;                  // reduction started
  std::deque<Sum> complete_;                 // reduction done
  std::unique_ptr<FlatTensors> taken_flat_;  // what the last take handed out, until its release
  std::vector<std::unique_ptr<FlatTensors>> unused_;
};

}  // namespace pipedream::detail
