#include "partitioner/what_if_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "partitioner/units.h"
#include "planning/json_fields.h"
#include "planning/text_table.h"

namespace pipedream {
namespace {

constexpr const char* kWhatIfFormat = "pipedream-what-if";

// "a of b", as only the question of that name has another limit than the rest.
std::string with_limit(const WhatIfAnswer& answer, const WhatIfAnswer& given) {
  const std::int64_t limit_bytes = answer.topology.memory_bytes_per_worker;
  if (limit_bytes == given.topology.memory_bytes_per_worker) return answer.question;
  return fmt::format("{} ({})", answer.question, detail::format_bytes(limit_bytes));
}

std::string factor(double value) { return fmt::format("{:.2f} x", value); }

bool has_closed_form(const WhatIfAnswer& answer) {
  return answer.plan && answer.plan->search.cost_model != to_string(CostModel::simulated);
}

// with_closed_form: two columns more, the prediction of models that do not simulate and its speed-up.
detail::TableRow answer_row(const WhatIfAnswer& answer, const WhatIfAnswer& given, bool with_closed_form) {
  if (!answer.plan) return {with_limit(answer, given), "-", "no plan"};
  detail::TableRow row = {with_limit(answer, given), plan_in_short(*answer.plan), answer.limited_by};
  if (with_closed_form) row.push_back(detail::format_microseconds(answer.plan->prediction.microbatch_us));
  row.push_back(detail::format_microseconds(answer.simulated_us));
  if (with_closed_form) row.push_back(factor(answer.predicted_speed_up()));
  row.push_back(factor(answer.simulated_speed_up()));
  row.push_back(detail::format_bytes(answer.memory_bytes));
  return row;
}

}  // namespace

std::string what_if_table(const std::vector<WhatIfAnswer>& answers) {
  const bool with_closed_form = std::any_of(answers.begin(), answers.end(), has_closed_form);
  std::vector<detail::TableRow> rows = {{"what if", "stages", "bound by", "simulated", "over DP", "memory"}};
  if (with_closed_form) {
    rows = {{"what if", "stages", "bound by", "predicted", "simulated", "over DP", "over DP, simulated", "memory"}};
  }
  std::string notes;
  for (const WhatIfAnswer& answer : answers) {
    rows.push_back(answer_row(answer, answers.front(), with_closed_form));
    if (!answer.plan) notes += fmt::format("{}: {}\n", answer.question, answer.why_not);
  }
  const WhatIfAnswer& given = answers.front();
  return fmt::format(
             "{} on at most {} workers; time per microbatch, and speed-up over data parallelism (DP) on its "
             "workers\n\n",
             to_string(given.algorithm), given.topology.workers()) +
         detail::text_table(rows, 3) + (notes.empty() ? "" : "\n" + notes);
}

namespace detail {

struct WhatIfFile {
  std::vector<WhatIfAnswer> answers;
};

template <class Fields>
void describe(Fields& fields, WhatIfAnswer& answer) {
  fields.required("question", answer.question);
  fields.required("algorithm", answer.algorithm);
  int workers = answer.topology.workers();
  fields.required("workers", workers);
  fields.required("memory_limit_bytes", answer.topology.memory_bytes_per_worker);
  std::string why_not = answer.why_not;
  fields.required("why_not", why_not);
  const Plan plan = answer.plan.value_or(Plan());
  std::string stages = answer.plan ? plan_in_short(plan) : "";
  fields.required("stages", stages);
  double predicted_us = plan.prediction.microbatch_us;
  fields.required("predicted_us", predicted_us);
  fields.required("simulated_us", answer.simulated_us);
  double predicted_data_parallel_us = plan.prediction.data_parallel_us;
  fields.required("predicted_data_parallel_us", predicted_data_parallel_us);
  fields.required("simulated_data_parallel_us", answer.data_parallel_us);
  double predicted_speed_up = answer.predicted_speed_up();
  double simulated_speed_up = answer.simulated_speed_up();
  fields.required("predicted_speed_up", predicted_speed_up);
  fields.required("simulated_speed_up", simulated_speed_up);
  fields.required("memory_bytes", answer.memory_bytes);
  std::string bound_by = plan.prediction.bound_by;
  fields.required("bound_by", bound_by);
  fields.required("limited_by", answer.limited_by);
}

template <class Fields>
void describe(Fields& fields, WhatIfFile& file) {
  fields.required("answers", file.answers);
}

}  // namespace detail

std::string what_if_json(const std::vector<WhatIfAnswer>& answers) {
  return detail::document_text(detail::WhatIfFile{answers}, kWhatIfFormat);
}

}  // namespace pipedream
