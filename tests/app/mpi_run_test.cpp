// Programs under mpirun: what each rank prints, and the exit code of the whole.
#include <catch2/catch.hpp>

#include "pipedream/error.h"
#include "pipedream/weights.h"
#include "support.h"
#include "support/scratch_folder.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;

namespace {

Outcome run_ranks(int ranks, const std::string& words, const std::string& environment = "") {
  return run_shell(environment + " timeout -k 5 60 " MPIRUN " -n " + std::to_string(ranks) +
                   " --bind-to none " TINY " " + words);
}

// Exit code 2 and one message from all ranks together.
void refuses(const std::string& words, const std::string& part, const std::string& environment = "") {
  const Outcome outcome = run_ranks(3, words, environment);
  CHECK(outcome.exit_code == kExitUsage);
  CHECK_THAT(outcome.error, Contains(part));
  CHECK(occurrences(outcome.error, "tiny: ") == 1);
}

const char* const kPlan = R"({"format": "pipedream-plan", "version": 1, "algorithm": "pipedream", "stages": [
  {"layers": ["linear1", "relu"], "workers": [0]},
  {"layers": ["linear2", "loss"], "workers": [1]}]})";

}  // namespace

TEST_CASE("ranks train together, and processes reach what threads reach") {
  const ScratchFolder folder;
  write_text(folder / "plan.json", kPlan);
  const std::string words = "train --plan " + (folder / "plan.json") + " --epochs 3 --losses ";
  const Outcome ranks = run_ranks(2, words + (folder / "ranks.csv") + " --save-weights " + (folder / "ranks"));
  REQUIRE(ranks.exit_code == 0);
  CHECK(ranks.error.empty());
  CHECK(occurrences(ranks.out, "pipedream: 2 stages") == 1);
  CHECK(occurrences(ranks.out, "test: ") == 1);
  const Outcome threads =
      run_shell(TINY " " + words + (folder / "threads.csv") + " --workers 2 --save-weights " + (folder / "threads"));
  REQUIRE(threads.exit_code == 0);
  CHECK(read_text(folder / "ranks.csv") == read_text(folder / "threads.csv"));
  const NamedTensors a = read_safetensors(folder / "ranks");
  for (const auto& [name, tensor] : read_safetensors(folder / "threads")) CHECK(a.at(name).equal(tensor));
}

TEST_CASE("a mistake is told once, whoever makes it") {
  const ScratchFolder folder;
  write_text(folder / "plan.json", kPlan);
  refuses("train --epoch 3", "--epoch");
  refuses("train --workers 2", "the launcher started 3 rank(s)");
  refuses("train --plan " + (folder / "plan.json"), "needs 2 worker(s), but there are 3");
  refuses("train", "worker 1: there is no data here", "TINY_FAULT=config@1");
}

TEST_CASE("a rank that fails gives every rank its cause") {
  const Outcome outcome = run_ranks(3, "train --algorithm data-parallel --epochs 100", "TINY_FAULT=throw@1");
  CHECK(outcome.exit_code == kExitFailure);
  CHECK(occurrences(outcome.error, "the disk is on fire") >= 3);
}

TEST_CASE("a signal at one rank stops all of them in order") {
  const ScratchFolder folder;
  const Outcome outcome = run_ranks(
      2, "train --straight --epochs 100000 --losses " + (folder / "l.csv") + " --save-weights " + (folder / "w"),
      "TINY_FAULT=stop@1");
  CHECK(outcome.exit_code == 130);
  CHECK_THAT(outcome.out, Contains("stopped after"));
  CHECK(read_safetensors(folder / "w").size() == 4);
  CHECK(lines_of(read_text(folder / "l.csv")).size() > 1);
}
