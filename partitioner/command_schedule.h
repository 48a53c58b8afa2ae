// `pipedream schedule`: what every worker does when, as a grid, a drawing or a program.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "partitioner/bare_plan.h"
#include "partitioner/link_options.h"
#include "pipedream/simulate.h"

namespace pipedream {

class ScheduleCommand {
 public:
  ScheduleCommand(CLI::App& app, std::ostream& out);
  ScheduleCommand(const ScheduleCommand&) = delete;
  ScheduleCommand& operator=(const ScheduleCommand&) = delete;

  bool chosen() const { return command_->parsed(); }
  int run() const;

 private:
  void add_plan_options();
  void add_time_options();
  Plan plan() const;
  SimulationCosts costs(const Plan& plan, std::vector<StageLink>& links) const;

  CLI::App* command_;
  std::ostream& out_;
  LinkOptions links_;
  std::string plan_;
  std::string algorithm_;
  BarePlan bare_;
  std::int64_t microbatches_ = 0;
  std::string profile_;
  std::vector<double> forward_us_;
  std::vector<double> backward_us_;
  double column_us_ = 0;
  std::string svg_;
  bool text_ = false;
  bool program_ = false;
};

}  // namespace pipedream
