// A whole program from a graph and data: every user program gets the same subcommands and options.
//
//   int main(int argc, char** argv) {
//     return pipedream::run(argc, argv, {.name = "digits", .graph = digits, .train = train_data, .test = test_data,
//                                        .optimizer = pipedream::sgd({.learning_rate = 0.05})});
//   }
//
// PROGRAM profile | train | evaluate, alone, in threads (--workers N) or under mpirun; PROGRAM train without --plan
// profiles, plans and trains in one call. Returns the exit code (error.h); prints errors, never throws.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "pipedream/data.h"
#include "pipedream/layer_graph.h"
#include "pipedream/optimizer.h"

namespace pipedream {

// The functions are called one at a time, on any thread.
struct Application {
  std::string name = {};
  std::function<LayerGraph()> graph = nullptr;
  std::function<std::shared_ptr<const Dataset>()> train = nullptr;
  std::function<std::shared_ptr<const Dataset>()> test = nullptr;  // may be empty: no evaluation
  OptimizerSpec optimizer = {};       // defaults of --optimizer, --learning-rate, --momentum; its groups are kept
  std::int64_t microbatch_size = 32;  // default of --microbatch
  std::int64_t epochs = 10;           // default of --epochs
};

int run(int argc, char** argv, const Application& application);

}  // namespace pipedream
