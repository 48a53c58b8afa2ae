#include <catch2/catch.hpp>
#include <cstdio>
#include <limits>

#include "app/console.h"
#include "app/losses.h"
#include "app/progress.h"
#include "app/report.h"
#include "support.h"
#include "support/scratch_folder.h"

using namespace pipedream;
using namespace pipedream::detail;
using namespace pipedream::testing;
using Catch::Contains;

TEST_CASE("figures are written for people") {
  CHECK(format_duration(42) == "0:42");
  CHECK(format_duration(3800) == "1:03:20");
  CHECK(format_duration(-1) == "0:00");
  CHECK(format_count(7) == "7");
  CHECK(format_count(999) == "999");
  CHECK(format_count(1000) == "1,000");
  CHECK(format_count(1234567) == "1,234,567");
}

TEST_CASE("losses are listed under the run's own index, with the size of each microbatch") {
  const ScratchFolder folder;
  // 10 rows, microbatches of 4: 4, 4, 2; continued at the last one of epoch 0.
  TrainResult result;
  result.first_microbatch = 2;
  result.losses = {0.5F, 0.1F, 2};
  write_losses(folder / "l.csv", result, 10, 4);
  CHECK(read_text(folder / "l.csv") == "microbatch,epoch,samples,loss\n2,0,2,0.5\n3,1,4,0.1\n4,1,4,2\n");
}

TEST_CASE("staleness is listed with distances where they are known") {
  const ScratchFolder folder;
  TrainResult result;
  result.staleness = {{7, 0, 3, 5, 0.25}, {7, 1, 5, 5, 0}, {8, 0, 4, 6, std::numeric_limits<double>::quiet_NaN()}};
  write_staleness(folder / "s.csv", result);
  CHECK(read_text(folder / "s.csv") ==
        "microbatch,stage,version,newest,delay,distance\n7,0,3,5,2,0.25\n7,1,5,5,0,0\n8,0,4,6,2,\n");
}

TEST_CASE("progress is told in epochs and fits the terminal") {
  const TrainProgress progress{
      .microbatches = 15, .total = 30, .loss = 0.25, .samples_per_second = 1234, .seconds_left = 61};
  CHECK_THAT(progress_line(progress, 10), Contains("microbatch 15/30") && Contains("epoch 2/3") &&
                                              Contains("loss 0.2500") && Contains("1,234 samples/s") &&
                                              Contains("1:01 left"));
  CHECK_THAT(progress_bar(progress, 10, 200), Contains("############............") && Contains(" 50%"));
  CHECK(progress_bar(progress, 10, 40).size() == 39);
  const TrainProgress done{.microbatches = 30, .total = 30};
  CHECK_THAT(progress_line(done, 10), Contains("epoch 3/3"));
}

TEST_CASE("a bar is redrawn in place and ends its line; without a terminal there is none") {
  const ScratchFolder folder;
  const auto printed = [&](bool terminal) {
    std::FILE* file = std::fopen((folder / "out").c_str(), "w");
    {
      ProgressPrinter printer(file, terminal, 10);
      printer.show({.microbatches = 1, .total = 20});
      printer.show({.microbatches = 2, .total = 20});
    }
    std::fclose(file);
    return read_text(folder / "out");
  };
  const std::string bar = printed(true);
  CHECK(occurrences(bar, "\r") == 2);
  CHECK(occurrences(bar, "\n") == 1);
  CHECK(bar.back() == '\n');
  CHECK(printed(false).empty());  // nothing in the first seconds
}

TEST_CASE("a plan is shown as by the command, with the expected rate where it is known") {
  const std::vector<std::string> layers{"a", "b", "loss"};
  Plan plan = single_stage_plan(layers, 2, Algorithm::data_parallel);
  CHECK_THAT(describe_plan(plan, 4), Contains("a .. loss (3)") && Contains("No prediction") && !Contains("samples/s"));
  plan.prediction.microbatch_us = 500;
  plan.prediction.bound_by = "compute of stage 0";
  CHECK_THAT(describe_plan(plan, 4), Contains("8,000 samples/s") && Contains("compute of stage 0"));
}
