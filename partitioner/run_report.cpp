#include "pipedream/run_report.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "pipedream/error.h"
#include "planning/atomic_file.h"
#include "planning/json_fields.h"
#include "planning/plan_file.h"
#include "planning/topology_file.h"

namespace pipedream {
namespace detail {

// A loss may be negative, and null stands for one that is not finite.
struct AnyNumber {
  double& value;
};

void read_value(const nlohmann::json& json, const JsonPlace& place, AnyNumber& number) {
  if (!json.is_number() && !json.is_null()) place.fail(fmt::format("must be a number or null, found {}", json.dump()));
  number.value = json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
}

nlohmann::ordered_json to_json_value(AnyNumber& number) {
  return std::isfinite(number.value) ? nlohmann::ordered_json(number.value) : nlohmann::ordered_json();
}

template <class Fields>
void describe(Fields& fields, Score& score) {
  fields.required("name", score.name);
  AnyNumber value{score.value};
  fields.required("value", value);
}

template <class Fields>
void describe(Fields& fields, StageFigures& stage) {
  fields.required("forward_us", stage.forward_us);
  fields.required("backward_us", stage.backward_us);
  fields.required("update_us", stage.update_us);
  fields.required("staleness", stage.staleness);
}

template <class Fields>
void describe(Fields& fields, RunFigures& figures) {
  fields.required("microbatch_us", figures.microbatch_us);
  fields.required("bubble", figures.bubble);
  fields.required("stages", figures.stages);
  fields.required("peak_bytes", figures.peak_bytes);
}

template <class Fields>
void describe(Fields& fields, WorkerCounts& worker) {
  fields.required("utilisation", worker.utilisation);
  fields.required("peak_versions", worker.peak_versions);
  fields.required("peak_in_flight", worker.peak_in_flight);
  fields.required("updates", worker.updates);
}

template <class Fields>
void describe(Fields& fields, StateFactors& factors) {
  fields.required("optimizer", factors.optimizer);
  fields.required("corrections", factors.corrections);
}

template <class Fields>
void describe(Fields& fields, RunReport& report) {
  fields.required("microbatch_size", report.microbatch_size);
  fields.required("microbatches", report.microbatches);
  fields.required("samples", report.samples);
  fields.required("seconds", report.seconds);
  fields.required("state_factors", report.state_factors);
  fields.required("scores", report.scores);
  fields.required("measured", report.measured);
  fields.required("predicted", report.predicted);
  fields.required("workers", report.workers);
  fields.required("plan", report.plan);
  fields.required("topology", report.topology);
}

}  // namespace detail

namespace {

constexpr const char* kReportFormat = "pipedream-report";

template <class List>
void require_length(const List& list, std::size_t length, bool may_be_empty, const std::string& field,
                    const char* what) {
  if (list.size() == length || (may_be_empty && list.empty())) return;
  throw ConfigError(fmt::format("{}: has {} entries for {} {}", field, list.size(), length, what));
}

void require_figure(double value, const std::string& field) {
  if (std::isfinite(value) && value >= 0) return;
  throw ConfigError(fmt::format("{}: must be finite and not negative, found {}", field, value));
}

void validate(const RunFigures& figures, const std::string& field, const Plan& plan) {
  require_length(figures.stages, plan.stages.size(), true, field + ".stages", "stages");
  require_length(figures.peak_bytes, static_cast<std::size_t>(plan.workers()), true, field + ".peak_bytes", "workers");
  require_figure(figures.microbatch_us, field + ".microbatch_us");
  require_figure(figures.bubble, field + ".bubble");
  for (std::size_t s = 0; s < figures.stages.size(); ++s) {
    const StageFigures& stage = figures.stages[s];
    for (const double value : {stage.forward_us, stage.backward_us, stage.update_us, stage.staleness}) {
      require_figure(value, fmt::format("{}.stages[{}]", field, s));
    }
  }
}

}  // namespace

void validate(const RunReport& report) {
  try {
    validate(report.plan);
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("plan.{}", error.what()));
  }
  validate(report.predicted, "predicted", report.plan);
  validate(report.measured, "measured", report.plan);
  require_length(report.workers, static_cast<std::size_t>(report.plan.workers()), false, "workers", "workers");
  require_figure(report.seconds, "seconds");
  require_figure(report.state_factors.optimizer, "state_factors.optimizer");
  require_figure(report.state_factors.corrections, "state_factors.corrections");
}

RunReport parse_report(std::string_view json, const std::string& source) {
  auto report = detail::read_document<RunReport>(json, source, kReportFormat);
  detail::fill_missing_warmups(report.plan);
  detail::with_source(source, [&] { validate(report); });
  return report;
}

std::string to_json(const RunReport& report) {
  validate(report);
  return detail::document_text(report, kReportFormat);
}

RunReport read_report(const std::filesystem::path& path) { return parse_report(read_whole_file(path), path.string()); }

void write_report(const RunReport& report, const std::filesystem::path& path) {
  write_file_atomically(path, to_json(report));
}

}  // namespace pipedream
