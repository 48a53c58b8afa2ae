#include "partitioner/simulation_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "partitioner/units.h"
#include "planning/json_fields.h"
#include "planning/text_table.h"

namespace pipedream {
namespace {

constexpr const char* kSimulationFormat = "pipedream-simulation";

using Row = detail::TableRow;

std::string percent(double share) { return fmt::format("{:.1f}%", 100 * share); }

Row stage_row(const SimulationReport& report, const StagePlan& stage, std::size_t index) {
  SimulatedWorker sum;
  for (const int id : stage.workers) {
    const SimulatedWorker& worker = report.workers[static_cast<std::size_t>(id)];
    sum.compute_us += worker.compute_us;
    sum.activation_wait_us += worker.activation_wait_us;
    sum.gradient_wait_us += worker.gradient_wait_us;
    sum.reduction_wait_us += worker.reduction_wait_us;
    sum.send_wait_us += worker.send_wait_us;
    sum.peak_versions = std::max(sum.peak_versions, worker.peak_versions);
    sum.peak_in_flight = std::max(sum.peak_in_flight, worker.peak_in_flight);
    sum.peak_bytes = std::max(sum.peak_bytes, worker.peak_bytes);
  }
  const auto share = [&](double us) {
    return percent(report.total_us > 0 ? us / (report.total_us * stage.replicas()) : 0);
  };
  return {fmt::format("{}", index),
          share(sum.compute_us),
          share(sum.activation_wait_us),
          share(sum.gradient_wait_us),
          share(sum.reduction_wait_us),
          share(sum.send_wait_us),
          fmt::format("{}", sum.peak_versions),
          fmt::format("{}", sum.peak_in_flight),
          detail::format_bytes(sum.peak_bytes)};
}

}  // namespace

std::string simulation_table(const SimulationReport& report, const Plan& plan, const Segment& segment) {
  std::vector<Row> rows = {
      {"stage", "busy", "activations", "gradients", "reductions", "sends", "versions", "in flight", "memory"}};
  for (std::size_t s = 0; s < plan.stages.size(); ++s) rows.push_back(stage_row(report, plan.stages[s], s));
  const auto time = [](double us) { return detail::format_microseconds(us); };
  return fmt::format("{}: {} microbatches on {} workers, simulated; busy, and waiting for what\n\n",
                     to_string(plan.algorithm), segment.microbatches, report.workers.size()) +
         detail::text_table(rows, 1) +
         fmt::format("\nmicrobatch  {}, at best {} ({})\nlimited by  {}\nin total    {}, bubble {}\n",
                     time(report.microbatch_us), time(report.bound_us), report.bound_by, report.limited_by,
                     time(report.total_us), percent(report.bubble));
}

namespace detail {

struct SimulationFile {
  std::int64_t microbatches;
  SimulationReport report;
};

template <class Fields>
void describe(Fields& fields, SimulatedWorker& worker) {
  fields.required("compute_us", worker.compute_us);
  fields.required("activation_wait_us", worker.activation_wait_us);
  fields.required("gradient_wait_us", worker.gradient_wait_us);
  fields.required("reduction_wait_us", worker.reduction_wait_us);
  fields.required("send_wait_us", worker.send_wait_us);
  fields.required("peak_versions", worker.peak_versions);
  fields.required("peak_in_flight", worker.peak_in_flight);
  fields.required("peak_bytes", worker.peak_bytes);
}

template <class Fields>
void describe(Fields& fields, SimulationFile& file) {
  fields.required("microbatches", file.microbatches);
  fields.required("total_us", file.report.total_us);
  fields.required("microbatch_us", file.report.microbatch_us);
  fields.required("bound_us", file.report.bound_us);
  fields.required("bound_by", file.report.bound_by);
  fields.required("limited_by", file.report.limited_by);
  fields.required("bubble", file.report.bubble);
  fields.required("utilisation", file.report.utilisation);
  fields.required("workers", file.report.workers);
}

}  // namespace detail

std::string simulation_json(const SimulationReport& report, const Segment& segment) {
  detail::SimulationFile file{segment.microbatches, report};
  file.report.timeline = {};
  return detail::document_text(std::move(file), kSimulationFormat);
}

}  // namespace pipedream
