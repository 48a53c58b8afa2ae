// Small models whose memory the profiler must account for to the byte.
#pragma once

#include <torch/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pipedream/data.h"
#include "pipedream/layer_graph.h"
#include "pipedream/profiler.h"

namespace pipedream::testing {

// Enough of a profile where times do not matter, on the test device.
ProfileOptions quick_options();

struct ModelCase {
  std::string name;
  std::function<LayerGraph()> graph;
  std::function<std::shared_ptr<Dataset>()> data;
};

// Chains, convolutions with views and in-place layers, recurrent, residual, embedding, several outputs.
std::vector<ModelCase> model_cases();
ModelCase model_case(const std::string& name);

}  // namespace pipedream::testing
