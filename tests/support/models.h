// Small models for tests of exactness: every kind of layer and edge that a cut could get wrong, each in a few hundred
// parameters, with data to train on. All float32, on the CPU.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pipedream/data.h"
#include "pipedream/layer_graph.h"
#include "pipedream/plan.h"

namespace pipedream::testing {

// Ragged: in microbatches of 4 an epoch has 7, the last one of 2.
inline constexpr std::int64_t kRows = 26;

struct TestModel {
  std::string name;
  LayerGraph graph;
  std::shared_ptr<TensorDataset> data;
};

// Linear layers with layer norm, dropout and activations, one of them in place; skips, one of them over many layers; a
// second input that a late layer uses.
TestModel skip_model(std::int64_t rows);
// Convolutions with batch norm and dropout, channels_last from the second layer on; the pooled image is a sum, whose
// gradient is an expanded tensor.
TestModel conv_model(std::int64_t rows);
// Embedding of tokens, LSTM over [batch, time], transposed activations, layer norm; loss over tokens.
TestModel lstm_model(std::int64_t rows);
// One tensor with four consumers on three branches; a layer with three outputs, of which one is an int64 tensor.
TestModel branch_model(std::int64_t rows);
// A chain with two or more layers with parameters wherever it is cut into up to five stages; no layer draws.
TestModel chain_model(std::int64_t rows);

// The five above.
std::vector<TestModel> model_families(std::int64_t rows);

// A model drawn from blocks like theirs; the same seed gives the same model.
TestModel random_model(std::uint64_t seed, std::int64_t rows);

// Cuts the graph in front of the layers at `cuts` (positions in graph order, ascending, the loss being the last layer).
// replicas: one number a stage; workers are numbered in order of the stages. Warm-up is the default.
Plan cut_plan(const LayerGraph& graph, Algorithm algorithm, const std::vector<std::size_t>& cuts,
              const std::vector<int>& replicas);
// Stages of about as many layers each.
Plan even_plan(const LayerGraph& graph, Algorithm algorithm, const std::vector<int>& replicas);
// As many stages on each worker, dealt out in turn.
Plan interleaved_plan(const LayerGraph& graph, int workers, int stages_per_worker, std::int64_t per_update);
// All ways to choose `count` cuts of `layers` layers so that no stage is empty.
std::vector<std::vector<std::size_t>> all_cuts(std::size_t layers, int count);

}  // namespace pipedream::testing
