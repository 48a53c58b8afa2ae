// What a pass over the microbatches does with the stage of a worker: training, evaluation, or the probe before the
// first update. The executor drives it and knows nothing more.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipedream/action.h"
#include "pipedream/communicator.h"
#include "runtime/score_reader.h"
#include "runtime/stage.h"
#include "runtime/versions.h"

namespace pipedream::detail {

class PassCompute {
 public:
  virtual ~PassCompute() = default;
  // One message for every incoming link in, one for every outgoing link out.
  virtual std::vector<Message> forward(const Action& action, const Tensors& data, std::vector<Message> incoming) = 0;
  // One message for every outgoing link in (empty where the link carries no gradients), one for every incoming link
  // out.
  virtual std::vector<Message> backward(const Action& action, std::vector<Message> gradients) = 0;
  virtual void reduce_post(const Action& action) = 0;
  virtual void reduce_wait(const Action& action) = 0;
  virtual void update(const Action& action) = 0;
  // After the last action: waits for results that are on their way to the host.
  virtual void finish() {}
};

std::vector<Tensors> tensors_of(std::vector<Message> messages);
std::vector<Message> messages_of(std::vector<Tensors> tensors, double weight);

// A pass without updates.
class ReadOnlyPass : public PassCompute {
 public:
  void reduce_post(const Action& action) final;
  void reduce_wait(const Action& action) final;
  void update(const Action& action) final;
};

// Gives a stage's buffers back as they were; until then they hold `values`, or what they held if there are none.
class BufferLoan {
 public:
  BufferLoan(const Stage& stage, const Tensors& values);
  ~BufferLoan();
  BufferLoan(const BufferLoan&) = delete;
  BufferLoan& operator=(const BufferLoan&) = delete;

 private:
  const Stage& stage_;
  Tensors saved_;
};

// Forward only, with the newest weights and without the random generator.
class EvaluationPass : public ReadOnlyPass {
 public:
  // buffers: what batch norm and the like use, in the order of Stage::buffers().
  EvaluationPass(Stage& stage, VersionStore& versions, const Tensors& buffers, OnScores on_scores);
  ~EvaluationPass() override;
  std::vector<Message> forward(const Action& action, const Tensors& data, std::vector<Message> incoming) override;
  std::vector<Message> backward(const Action& action, std::vector<Message> gradients) override;
  void finish() override { scores_.finish(); }

 private:
  Stage& stage_;
  VersionStore& versions_;
  BufferLoan buffers_;
  ScoreReader scores_;
};

// One microbatch forward and backward that leaves the stage as it was and finds out its traits. A stage that fails
// still sends messages, marked, so that all stages end the probe and can tell each other why.
class ProbePass : public ReadOnlyPass {
 public:
  ProbePass(Stage& stage, std::int64_t microbatch);
  std::vector<Message> forward(const Action& action, const Tensors& data, std::vector<Message> incoming) override;
  std::vector<Message> backward(const Action& action, std::vector<Message> gradients) override;

  const StageTraits& traits() const { return traits_; }
  const std::optional<std::string>& error() const { return error_; }

 private:
  Stage& stage_;
  std::int64_t microbatch_;
  BufferLoan buffers_;
  Activations activations_;
  StageTraits traits_;
  std::optional<std::string> error_;
  bool failed_ = false;  // here or in another stage
};

}  // namespace pipedream::detail
