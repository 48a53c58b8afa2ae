#include "planning/plan_file.h"

#include "pipedream/plan.h"
#include "planning/atomic_file.h"
#include "planning/json_fields.h"
#include "planning/warmup.h"

namespace pipedream {
namespace {

constexpr const char* kPlanFormat = "pipedream-plan";

}  // namespace

void detail::fill_missing_warmups(Plan& plan) {
  const StagePlan* next = nullptr;
  for (auto stage = plan.stages.rbegin(); stage != plan.stages.rend(); ++stage) {
    if (stage->warmup < 0) {
      const bool in_flight = traits_of(plan.algorithm).has_warmup && next && stage->replicas() > 0;
      stage->warmup = in_flight ? detail::default_stage_warmup(stage->replicas(), next->replicas(), next->warmup) : 0;
    }
    next = &*stage;
  }
}

Plan parse_plan(std::string_view json, const std::string& source) {
  auto plan = detail::read_document<Plan>(json, source, kPlanFormat);
  detail::fill_missing_warmups(plan);
  detail::with_source(source, [&] { validate(plan); });
  return plan;
}

std::string to_json(const Plan& plan) {
  validate(plan);
  return detail::document_text(plan, kPlanFormat);
}

Plan read_plan(const std::filesystem::path& path) { return parse_plan(read_whole_file(path), path.string()); }

void write_plan(const Plan& plan, const std::filesystem::path& path) { write_file_atomically(path, to_json(plan)); }

}  // namespace pipedream
