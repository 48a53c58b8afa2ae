// Programs that tests change, and what the validator says to them.
#pragma once

#include "pipedream/error.h"
#include "pipedream/validate.h"
#include "plans.h"
#include "schedule/lowering.h"

namespace pipedream::testing {

struct Case {
  std::string name;
  Plan plan;
  std::vector<StageLink> links;
  Segment segment{Pass::train, 9};
};

inline Program written_out(const Case& c) {
  Program program;
  for (int worker = 0; worker < c.plan.workers(); ++worker) {
    program.workers.emplace_back().prologue = detail::lower(c.plan, c.links, c.segment, worker);
  }
  return program;
}

// What the validator throws; empty where it accepts.
inline std::string refusal(const Case& c, const Program& program) {
  try {
    validate(program, c.plan, c.links, c.segment);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

}  // namespace pipedream::testing
