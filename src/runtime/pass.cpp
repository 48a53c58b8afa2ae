#include "runtime/pass.h"

#include <cmath>
#include <limits>
#include <stdexcept>

namespace pipedream::detail {
namespace {

constexpr double kFailed = std::numeric_limits<double>::quiet_NaN();  // as a message's weight, in the probe

bool any_failed(const std::vector<Message>& messages) {
  for (const Message& message : messages) {
    if (std::isnan(message.weight)) return true;
  }
  return false;
}

}  // namespace

std::vector<Tensors> tensors_of(std::vector<Message> messages) {
  std::vector<Tensors> tensors;
  tensors.reserve(messages.size());
  for (Message& message : messages) tensors.push_back(std::move(message.tensors));
  return tensors;
}

std::vector<Message> messages_of(std::vector<Tensors> tensors, double weight) {
  std::vector<Message> messages;
  messages.reserve(tensors.size());
  for (Tensors& list : tensors) messages.push_back({std::move(list), weight});
  return messages;
}

void ReadOnlyPass::reduce_post(const Action&) { throw std::logic_error("a reduction in a pass without updates"); }
void ReadOnlyPass::reduce_wait(const Action&) { throw std::logic_error("a reduction in a pass without updates"); }
void ReadOnlyPass::update(const Action&) { throw std::logic_error("an update in a pass without updates"); }

BufferLoan::BufferLoan(const Stage& stage, const Tensors& values) : stage_(stage) {
  const auto& buffers = stage_.buffers();
  for (const auto& buffer : buffers) saved_.push_back(buffer.tensor.clone());
  for (std::size_t i = 0; i < values.size(); ++i) buffers[i].tensor.variable_data().copy_(values[i]);
}

BufferLoan::~BufferLoan() {
  for (std::size_t i = 0; i < saved_.size(); ++i) stage_.buffers()[i].tensor.variable_data().copy_(saved_[i]);
}

EvaluationPass::EvaluationPass(Stage& stage, VersionStore& versions, const Tensors& buffers, OnScores on_scores)
    : stage_(stage), versions_(versions), buffers_(stage, buffers), scores_(std::move(on_scores)) {
  stage_.set_training(false);
}

EvaluationPass::~EvaluationPass() { stage_.set_training(true); }

std::vector<Message> EvaluationPass::forward(const Action& action, const Tensors& data, std::vector<Message> incoming) {
  versions_.bind(versions_.newest());
  ForwardResult result = stage_.evaluate(data, tensors_of(std::move(incoming)));
  if (stage_.wiring().has_loss) {
    Scores scores;
    scores.microbatch = action.microbatch;
    scores.weight = result.activations.weight;
    Tensors values{result.activations.loss};
    for (const WeightedMean& metric : result.metrics) {
      values.push_back(metric.mean);
      scores.metric_weights.push_back(metric.weight);
    }
    scores_.add(std::move(scores), values);
  }
  return messages_of(std::move(result.outgoing), 0);
}

std::vector<Message> EvaluationPass::backward(const Action&, std::vector<Message>) {
  throw std::logic_error("a backward in an evaluation");
}

ProbePass::ProbePass(Stage& stage, std::int64_t microbatch)
    : stage_(stage), microbatch_(microbatch), buffers_(stage, {}) {}

std::vector<Message> ProbePass::forward(const Action&, const Tensors& data, std::vector<Message> incoming) {
  failed_ = any_failed(incoming);
  std::vector<Tensors> outgoing;
  for (const OutgoingLink& link : stage_.wiring().outgoing) outgoing.emplace_back(link.tensors.size());
  if (!failed_) {
    try {
      ForwardResult result = stage_.probe(microbatch_, data, tensors_of(std::move(incoming)), traits_);
      activations_ = std::move(result.activations);
      outgoing = std::move(result.outgoing);
    } catch (const std::exception& error) {
      failed_ = true;
      error_ = error.what();
    }
  }
  return messages_of(std::move(outgoing), failed_ ? kFailed : 0);
}

std::vector<Message> ProbePass::backward(const Action&, std::vector<Message> gradients) {
  failed_ = failed_ || any_failed(gradients);
  std::vector<Tensors> incoming;
  for (const IncomingLink& link : stage_.wiring().incoming) {
    std::size_t leaves = 0;
    for (const ReceivedTensor& tensor : link.tensors) leaves += tensor.leaves.size();
    incoming.emplace_back(leaves);
  }
  if (!failed_) {
    try {
      BackwardResult result = stage_.backward(activations_, tensors_of(std::move(gradients)));
      stage_.require_gradients(result.parameters);
      incoming = std::move(result.incoming);
    } catch (const std::exception& error) {
      failed_ = true;
      error_ = error.what();
    }
  }
  return messages_of(std::move(incoming), failed_ ? kFailed : 0);
}

}  // namespace pipedream::detail
