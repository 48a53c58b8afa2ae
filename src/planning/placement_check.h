// A plan's placement against the machines that its workers run on.
#pragma once

#include <span>
#include <string>

#include "pipedream/plan.h"

namespace pipedream::detail {

// machines: their names, by worker, as many as the placement has.
struct PlacementCheck {
  bool is_as_placed = false;  // workers are together where the plan has them together, and nowhere else
  std::string apart = {};     // who should be together and is not; empty: nobody
};
PlacementCheck check_placement(const PlanPlacement& placement, std::span<const std::string> machines);

}  // namespace pipedream::detail
