// Parameters and buffers of all stages, brought together by name.
#pragma once

#include <memory>
#include <vector>

#include "pipedream/communicator.h"
#include "pipedream/plan.h"
#include "pipedream/weights.h"
#include "runtime/stage_worker.h"

namespace pipedream::detail {

class WeightExchange {
 public:
  // Collective. hosted: this worker's stages, ascending. Ids from first_channel on are free on all workers.
  WeightExchange(const Plan& plan, Communicator& comm, std::vector<StageWorker*> hosted, int first_channel);

  // Collective: everything, on worker 0 or on every worker; empty elsewhere.
  NamedTensors gather(bool on_every_worker);

  // Local: takes this worker's values by name. Throws ConfigError on a missing name (strict), a shape or type that does
  // not fit, or (strict) a name that no stage has.
  void take(const NamedTensors& weights, const std::string& source, bool strict);

  // A hosted stage's floating buffers averaged over its replicas (summed in replica order, divided by their number);
  // integer buffers are replica 0's. Collective among the replicas. In the order of Stage::buffers().
  Tensors averaged_buffers(StageWorker& worker);

 private:
  Tensors tensors_of(StageWorker& worker);
  void open_gathering(int first_channel);
  void open_spreading(int channel);
  void take_stage(StageWorker& worker, const NamedTensors& weights, const std::string& source, bool strict) const;

  const Plan& plan_;
  Communicator& comm_;
  std::vector<StageWorker*> hosted_;
  std::vector<std::vector<std::string>> names_;               // by stage, all of its tensors
  std::vector<std::unique_ptr<SendChannel>> to_first_;        // replica 0 of a stage to worker 0, by hosted stage
  std::vector<std::unique_ptr<ReceiveChannel>> from_stages_;  // on worker 0, by stage
  std::vector<std::unique_ptr<SendChannel>> to_all_;          // on worker 0, by worker
  std::unique_ptr<ReceiveChannel> from_first_;
};

}  // namespace pipedream::detail
