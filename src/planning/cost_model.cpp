#include "pipedream/cost_model.h"

#include <fmt/format.h>

#include "pipedream/error.h"

namespace pipedream {

std::span<const CostModel> all_cost_models() {
  static constexpr CostModel kAll[] = {CostModel::pipedream, CostModel::pipedream_compat, CostModel::dapple,
                                       CostModel::two_bw, CostModel::simulated};
  return kAll;
}

std::string_view to_string(CostModel model) {
  switch (model) {
    case CostModel::pipedream:
      return "pipedream";
    case CostModel::pipedream_compat:
      return "pipedream-compat";
    case CostModel::dapple:
      return "dapple";
    case CostModel::two_bw:
      return "2bw";
    case CostModel::simulated:
      return "simulated";
  }
  return "";
}

std::string cost_model_names() {
  std::string names;
  for (const CostModel model : all_cost_models()) {
    if (!names.empty()) names += ", ";
    names += to_string(model);
  }
  return names;
}

CostModel parse_cost_model(std::string_view name) {
  for (const CostModel model : all_cost_models()) {
    if (name == to_string(model)) return model;
  }
  throw ConfigError(fmt::format("unknown cost model \"{}\" (known: {})", name, cost_model_names()));
}

}  // namespace pipedream
