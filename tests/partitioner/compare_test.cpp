// Reports of runs: their files, what they say was off, and the profile that they correct.
#include "pipedream/compare.h"

#include <cmath>
#include <limits>

#include "call.h"
#include "partitioner/compare_table.h"
#include "pipedream/partition.h"
#include "pipedream/run_report.h"
#include "planning/atomic_file.h"
#include "planning/support.h"
#include "support/scratch_folder.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;

namespace {

// chain_profile(4): forward 10, 11, 12, 13; backward 20, 22, 24, 26. Two stages of two layers.
Plan halves(Algorithm algorithm = Algorithm::pipedream) {
  Plan plan;
  plan.algorithm = algorithm;
  plan.stages.resize(2);
  plan.stages[0].layers = {"layer0", "layer1"};
  plan.stages[0].workers = {0};
  plan.stages[0].warmup = 1;
  plan.stages[1].layers = {"layer2", "loss"};
  plan.stages[1].workers = {1};
  return plan;
}

// As predicted, but for the second stage's backward, which took 100 us instead of 50, and an update of 5 us.
RunReport measured_run(const Profile& profile) {
  RunReport report{.plan = halves(),
                   .microbatch_size = 8,
                   .microbatches = 1000,
                   .samples = 8000,
                   .seconds = 0.13,
                   .topology = uniform_topology(2, 1e9)};
  report.predicted = simulated_figures(report.plan, profile, report.topology, 0, report.microbatches);
  report.measured = report.predicted;
  report.measured.stages[1].backward_us = 100;
  report.measured.stages[1].update_us = 5;
  report.measured.microbatch_us = 135;
  report.measured.bubble = 0.25;
  report.workers = {{.utilisation = 0.5, .peak_versions = 2, .peak_in_flight = 2, .updates = 1000},
                    {.utilisation = 0.9, .peak_versions = 1, .peak_in_flight = 1, .updates = 1000}};
  report.scores = {{"loss", -0.5}, {"test loss", std::numeric_limits<double>::quiet_NaN()}};
  return report;
}

}  // namespace

TEST_CASE("the prediction of a run is what the simulator makes of the profile") {
  const RunFigures figures = simulated_figures(halves(), chain_profile(4, 1), uniform_topology(2, 1e9), 0, 1000);
  CHECK(figures.microbatch_us == Approx(75).epsilon(0.01));
  CHECK(figures.bubble > 0);
  REQUIRE(figures.stages.size() == 2);
  CHECK(figures.stages[0].forward_us == 21);
  CHECK(figures.stages[1].backward_us == 50);
  CHECK(figures.peak_bytes.size() == 2);
  // A run of one microbatch has no more in flight.
  const RunFigures shortest = simulated_figures(halves(), chain_profile(4, 1), uniform_topology(2, 1e9), 0, 1);
  CHECK(shortest.peak_bytes[0] < figures.peak_bytes[0]);
}

TEST_CASE("the inputs that were off are named, the worst first, and what is left is said") {
  const Profile profile = chain_profile(4, 1);
  const Explanation explanation = explain(measured_run(profile), profile);
  CHECK(explanation.predicted_us == Approx(75).epsilon(0.01));
  CHECK(explanation.corrected_us == Approx(130).epsilon(0.01));
  CHECK(explanation.measured_us == 135);
  REQUIRE(explanation.inputs.size() == 2);
  CHECK(explanation.inputs[0].input == "backward of stage 1");
  CHECK(explanation.inputs[0].predicted_us == 50);
  CHECK(explanation.inputs[0].measured_us == 100);
  CHECK(explanation.inputs[0].effect_us == Approx(50).epsilon(0.02));
  CHECK(explanation.inputs[1].input == "update of stage 1");
  CHECK(explanation.inputs[1].effect_us == Approx(5).epsilon(0.05));
}

TEST_CASE("a corrected profile predicts what was measured") {
  const Profile profile = chain_profile(4, 1);
  const RunReport report = measured_run(profile);
  const Profile corrected = recalibrated(profile, report.plan, report.measured.stages);
  CHECK(corrected.layers[2].backward_us == Approx(48));  // 24 of 50 us
  CHECK(corrected.layers[3].backward_us == Approx(52));
  CHECK(corrected.layers[3].forward_us == 13);
  CHECK(corrected.layers[0].forward_us == 10);
  CHECK(corrected.whole_backward_us == Approx(142));
  CHECK(explain(report, corrected).predicted_us == Approx(125).epsilon(0.01));

  Profile nothing = profile;
  for (LayerProfile& layer : nothing.layers) layer.backward_us = 0;
  CHECK(recalibrated(nothing, report.plan, report.measured.stages).layers[2].backward_us == 50);

  // The backward of a stage that recomputes has its forward in it.
  RunReport repeating = report;
  repeating.plan.stages[1].recompute = true;
  repeating.measured.stages[1].backward_us = 125;
  const Profile shared = recalibrated(profile, repeating.plan, repeating.measured.stages);
  CHECK(shared.layers[2].backward_us == Approx(48));
  CHECK(shared.layers[2].forward_us == 12);
}

TEST_CASE("a report is read as it was written") {
  const ScratchFolder folder;
  const RunReport report = measured_run(chain_profile(4, 1));
  write_report(report, folder / "r.json");
  const RunReport read = read_report(folder / "r.json");
  CHECK(to_json(read) == to_json(report));
  CHECK(read.scores[0].value == -0.5);
  CHECK(std::isnan(read.scores[1].value));
  CHECK(read.measured.stages[1].update_us == 5);
  CHECK(read.topology.workers() == 2);
}

TEST_CASE("a report that does not fit together is refused by field") {
  const RunReport report = measured_run(chain_profile(4, 1));
  const auto error_of = [&](auto change) {
    RunReport wrong = report;
    change(wrong);
    return config_error([&] { to_json(wrong); });
  };
  CHECK_THAT(error_of([](RunReport& r) { r.measured.stages.pop_back(); }),
             Contains("measured.stages: has 1 entries for 2 stages"));
  CHECK_THAT(error_of([](RunReport& r) { r.workers.pop_back(); }), Contains("workers: has 1 entries for 2 workers"));
  CHECK_THAT(error_of([](RunReport& r) { r.predicted.microbatch_us = -1; }), Contains("predicted.microbatch_us"));
  CHECK_THAT(error_of([](RunReport& r) { r.measured.stages[1].forward_us = std::numeric_limits<double>::infinity(); }),
             Contains("measured.stages[1]: must be finite"));
  CHECK_THAT(error_of([](RunReport& r) { r.plan.stages[0].warmup = -2; }), Contains("plan.stages[0]"));
  const std::string text = to_json(report);
  const auto parsed = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    return config_error([&] { parse_report(changed, "r.json"); });
  };
  CHECK_THAT(parsed("\"value\": -0.5", "\"value\": \"high\""), Contains("r.json: scores[0].value: must be a number"));
  CHECK_THAT(parsed("pipedream-report", "pipedream-plan"), Contains("r.json: format: must be \"pipedream-report\""));
}

TEST_CASE("the tables say what was off by how much") {
  const Profile profile = chain_profile(4, 1);
  RunReport report = measured_run(profile);
  report.measured.peak_bytes[0] *= 2;
  const std::string plain = comparison_table(report, std::nullopt);
  CHECK_THAT(plain, Contains("100 us") && Contains("50 us") && Contains("0: 50%") && Contains("-50.0%") &&
                        Contains("measured 135 us (off by -44.") && Contains("measured 25.0%") &&
                        !Contains("what was off"));
  const std::string explained = comparison_table(report, explain(report, profile));
  CHECK_THAT(explained,
             Contains("what was off") && Contains("backward of stage 1") && Contains("links, waits, the host"));
  report.plan =
      single_stage_plan(std::vector<std::string>{"layer0", "layer1", "layer2", "loss"}, 4, Algorithm::data_parallel);
  report.measured = {.microbatch_us = 30};
  report.predicted = {};
  report.workers.assign(4, {.utilisation = 0.25});
  report.workers[2].utilisation = 0.75;
  CHECK_THAT(comparison_table(report, std::nullopt), Contains("4 of them: 25% to 75%") && !Contains("off by -"));
}

TEST_CASE("pipedream compare") {
  const ScratchFolder folder;
  const Profile profile = chain_profile(4, 1);
  write_profile(profile, folder / "p.json");
  write_report(measured_run(profile), folder / "r.json");
  const Outcome plain = call({"compare", folder / "r.json"});
  CHECK(plain.code == 0);
  CHECK(plain.out == comparison_table(measured_run(profile), std::nullopt));
  const Outcome again =
      call({"compare", folder / "r.json", "--profile", folder / "p.json", "--recalibrate", folder / "c.json"});
  REQUIRE(again.code == 0);
  CHECK_THAT(again.out, Contains("backward of stage 1"));
  CHECK(read_profile(folder / "c.json").layers[2].backward_us == Approx(48));
  const Outcome corrected = call({"compare", folder / "r.json", "--profile", folder / "c.json", "--json"});
  CHECK(parse_report(corrected.out, "out").predicted.stages[1].backward_us == Approx(100));

  CHECK_THAT(call({"compare", folder / "p.json"}).err, Contains("must be \"pipedream-report\""));
  CHECK_THAT(call({"compare", folder / "r.json", "--recalibrate", "x"}).err, Contains("--profile"));
  write_profile(chain_profile(5, 1), folder / "other.json");
  const Outcome other = call({"compare", folder / "r.json", "--profile", folder / "other.json"});
  CHECK(other.code == 2);
  CHECK_THAT(other.err, Contains("r.json does not fit") && Contains("other.json"));
}
