#include "partitioner/command_schedule.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>

#include "partitioner/command_help.h"
#include "partitioner/plan_table.h"
#include "partitioner/schedule_table.h"
#include "partitioner/units.h"
#include "pipedream/draw.h"
#include "pipedream/error.h"
#include "planning/atomic_file.h"

namespace pipedream {
namespace {

// A picture of more would help nobody, and takes memory.
constexpr std::int64_t kMostActions = 2'000'000;
constexpr std::int64_t kMostMicrobatches = 1'000'000'000'000;
constexpr double kLongestUs = 1e9;

// Enough to see the steady state and the drain: twice what is in flight, or two updates.
std::int64_t default_microbatches(const Plan& plan) {
  std::int64_t most = 1;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const int stage = static_cast<int>(s);
    const std::int64_t out = plan.stages[s].replicas() * stage_load(plan, stage).in_flight;
    most = std::max({most, out, microbatches_per_update(plan, stage)});
  }
  return 2 * std::min(most, kMostMicrobatches / 2);
}

std::vector<StageLink> chain(const Plan& plan) {
  std::vector<StageLink> links;
  for (int s = 0; s + 1 < static_cast<int>(plan.stages.size()); ++s) links.push_back({s, s + 1, true});
  return links;
}

// As long as predicted; else stages that keep pace with each other, a backward twice as long as a forward.
StageCosts default_costs(const StagePlan& stage) {
  StageCosts costs;
  const bool is_predicted = stage.prediction.forward_us > 0;
  costs.forward_us = is_predicted ? stage.prediction.forward_us : stage.replicas();
  costs.backward_us = is_predicted ? stage.prediction.backward_us : 2 * stage.replicas();
  return costs;
}

void check_length(const Program& program) {
  std::int64_t actions = 0;
  for (const WorkerProgram& worker : program.workers) actions += worker.size();
  if (actions > kMostActions) {
    throw ConfigError(fmt::format("{} actions are too many for a picture (at most {}); --program has no such limit",
                                  actions, kMostActions));
  }
}

// One number for all stages, or one for each.
double time_of(const std::vector<double>& us, std::size_t stage, std::size_t stages, const char* option) {
  if (us.size() != 1 && us.size() != stages) {
    throw ConfigError(fmt::format("{} has {} times, the plan has {}", option, us.size(),
                                  count_of(static_cast<std::int64_t>(stages), "stage")));
  }
  const double time = us.size() == 1 ? us.front() : us[stage];
  if (!(time > 0 && time <= kLongestUs)) {
    throw ConfigError(fmt::format("{} {}: must be positive and at most {}", option, time, kLongestUs));
  }
  return time;
}

}  // namespace

ScheduleCommand::ScheduleCommand(CLI::App& app, std::ostream& out)
    : command_(app.add_subcommand("schedule", "Shows what every worker does when")), out_(out) {
  add_plan_options();
  add_time_options();
  command_->add_option("--svg", svg_, "File to write a drawing to")->type_name(kFileType);
  command_->add_flag("--text", text_, "Print the grid, as without --svg and --program");
  command_->add_option("--column-us", column_us_, "Of the grid (default: the shortest forward or backward)")
      ->check(CLI::Range(0.001, kLongestUs));
  command_->add_flag("--program", program_, "Print the program: the actions of every worker, in order");
  add_help(*command_, {"Shows what every worker does when, under a plan or under an algorithm alone, as a grid of "
                       "text, a drawing or the program itself. First the program is proved to run: no worker waits for "
                       "ever, and every version of the weights that a pass names is there."
                       "\n\n"
                       "F3 and B3 are forward and backward of microbatch 3, | is an update, . an idle worker.",
                       {"pipedream schedule plan.json --svg schedule.svg",
                        "pipedream schedule plan.json --profile profile.json --bandwidth 1Gbit/s",
                        "pipedream schedule --algorithm gpipe --workers 4 --microbatches-per-update 4",
                        "pipedream schedule --algorithm pipedream --replicas 2,1 --program"}});
}

void ScheduleCommand::add_plan_options() {
  auto* plan = command_->add_option("PLAN", plan_, "File of a plan; without it --algorithm and --workers tell one")
                   ->type_name(kFileType);
  const auto add = [&](const char* name, auto& value, const std::string& help) {
    auto* option = command_->add_option(name, value, help);
    plan->excludes(option);
    return option;
  };
  add("--algorithm", algorithm_, "One of " + algorithm_names())->type_name(kAlgorithmType);
  add("--workers", bare_.workers, "How many");
  add("--stages", bare_.stages, "How many (default: one a worker; one for data-parallel); in turn on the workers");
  add("--replicas", bare_.replicas, "Of each stage, as in 2,1,1")->delimiter(',')->allow_extra_args(false);
  add("--warmup", bare_.depths.warmup, "Of each stage, as in 3,2,1,0 (default: the least at which no stage starves)")
      ->delimiter(',')
      ->allow_extra_args(false);
  add("--reduce-delay", bare_.depths.reduce_delay, "Of each stage, as in 1,0 (default: 0)")
      ->delimiter(',')
      ->allow_extra_args(false);
  add("--microbatches-per-update", bare_.microbatches_per_update, "Where the algorithm leaves it open")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}));
  command_
      ->add_option("--microbatches", microbatches_, "How many (default: two updates, or twice as many as in flight)")
      ->check(CLI::Range(std::int64_t{1}, kMostMicrobatches));
}

void ScheduleCommand::add_time_options() {
  auto* profile = command_->add_option("--profile", profile_, "Times and messages of the PLAN as measured here")
                      ->type_name(kFileType)
                      ->needs("PLAN");
  links_.add_to(*command_);
  for (const char* name : {"--bandwidth", "--latency"}) command_->get_option(name)->needs(profile);
  command_
      ->add_option("--forward-us", forward_us_,
                   "Of a microbatch, for all stages or for each, as in 1,2 (default: as measured or predicted, else as "
                   "many as the stage has replicas)")
      ->delimiter(',')
      ->allow_extra_args(false);
  command_->add_option("--backward-us", backward_us_, "The same (default: else twice as many)")
      ->delimiter(',')
      ->allow_extra_args(false);
}

Plan ScheduleCommand::plan() const {
  if (!plan_.empty()) return read_plan(plan_);
  if (algorithm_.empty()) throw ConfigError("schedule needs a PLAN, or --algorithm with --workers or --replicas");
  BarePlan wanted = bare_;
  wanted.algorithm = parse_algorithm(algorithm_);
  return make_bare_plan(wanted);
}

// Without a profile every stage sends to the next, in no time.
SimulationCosts ScheduleCommand::costs(const Plan& plan, std::vector<StageLink>& links) const {
  SimulationCosts costs;
  if (!profile_.empty()) {
    const Profile profile = read_profile(profile_);
    constexpr double state_factor = 0;  // memory is not shown
    costs =
        costs_of_files({plan, plan_}, {profile, profile_}, links_.topology(profile, {plan.workers()}), state_factor);
    links = stage_links(plan, profile);
  } else {
    links = chain(plan);
    for (const StageLink& link : links) costs.links.push_back({link.from, link.to, 0, 0});
    for (const StagePlan& stage : plan.stages) costs.stages.push_back(default_costs(stage));
  }
  const std::size_t stages = plan.stages.size();
  for (std::size_t s = 0; s < stages; ++s) {
    if (!forward_us_.empty()) costs.stages[s].forward_us = time_of(forward_us_, s, stages, "--forward-us");
    if (!backward_us_.empty()) costs.stages[s].backward_us = time_of(backward_us_, s, stages, "--backward-us");
  }
  return costs;
}

int ScheduleCommand::run() const {
  const Plan planned = plan();
  const Segment segment{Pass::train, microbatches_ > 0 ? microbatches_ : default_microbatches(planned)};
  std::vector<StageLink> links;
  const SimulationCosts times = costs(planned, links);
  const Program program = make_program(planned, links, segment);
  const ValidationReport proof = validate(program, planned, links, segment);
  if (program_) out_ << to_text(program);
  if (program_ && !text_ && svg_.empty()) return 0;

  check_length(program);
  const Timeline timeline = simulate(program, planned, segment, times, {.record = true}).timeline;
  const std::string title = schedule_title(planned, segment);
  const bool draws_text = text_ || (svg_.empty() && !program_);
  const std::int64_t column_ns = column_us_ > 0 ? std::llround(column_us_ * 1000) : shortest_pass_ns(timeline);
  if (draws_text) out_ << draw_text(timeline, planned, column_ns) << "\n";
  if (!svg_.empty()) write_file_atomically(svg_, draw_svg(timeline, planned, title));
  // A program alone can be read back.
  if (program_ && !text_) return 0;
  out_ << title << "\n\n" << schedule_table(planned, proof, summarize(timeline, planned));
  if (draws_text) out_ << "a column is " << detail::format_microseconds(static_cast<double>(column_ns) / 1000) << "\n";
  if (!svg_.empty()) out_ << "written to " << svg_ << "\n";
  return 0;
}

}  // namespace pipedream
