// Ranks that are killed, stopped or throw: the job ends in time, says why, and with the right exit code.
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <sstream>

#include "support/child_process.h"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using pipedream::testing::ChildProcess;

constexpr int kRanks = 3;

ChildProcess start(const std::string& mode, std::chrono::milliseconds deadline) {
  return ChildProcess({PIPEDREAM_MPIRUN, "-n", std::to_string(kRanks), "--bind-to", "none", PIPEDREAM_VICTIM, mode,
                       std::to_string(deadline.count())});
}

// The process of a rank, once all ranks are in the middle of their work.
pid_t process_of(ChildProcess& job, int rank) {
  const auto lines = job.lines("ready ", kRanks, 30s);
  INFO(job.output());
  REQUIRE(lines.size() == kRanks);
  for (const std::string& line : lines) {
    std::istringstream words(line);
    std::string word;
    int line_rank = 0;
    pid_t process = 0;
    words >> word >> line_rank >> process;
    if (line_rank == rank) return process;
  }
  FAIL("no line of rank " << rank);
  return 0;
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

TEST_CASE("a killed rank ends the job within 5 s, whatever the deadline") {
  ChildProcess job = start("run", 300s);
  const pid_t victim = process_of(job, 1);
  const auto begin = Clock::now();
  REQUIRE(kill(victim, SIGKILL) == 0);
  const auto code = job.wait(20s);
  INFO(job.output());
  REQUIRE(code.has_value());
  CHECK(*code != 0);
  CHECK(seconds_since(begin) < 5);
}

TEST_CASE("a stalled rank trips the deadline of the others, who say what every worker did") {
  constexpr auto deadline = 3s;
  ChildProcess job = start("run", deadline);
  const pid_t victim = process_of(job, 1);
  const auto begin = Clock::now();
  REQUIRE(kill(victim, SIGSTOP) == 0);
  // Each of the others gives up by itself or hears that another one did.
  const auto said = job.lines("rank ", kRanks - 1, deadline + 2s);
  const double seconds = seconds_since(begin);
  const auto code = job.wait(20s);
  INFO(job.output());
  CHECK(said.size() == kRanks - 1);
  CHECK(seconds > 2.9);
  REQUIRE(code.has_value());
  CHECK(*code == 3);
  CHECK_THAT(job.output(), Catch::Contains("no worker made progress for the deadline of 3.0 s"));
  CHECK_THAT(job.output(), Catch::Contains("worker 1: round "));
  for (const char* start : {"rank 0 says: ", "rank 2 says: "}) CHECK_THAT(job.output(), Catch::Contains(start));
}

TEST_CASE("when a rank throws, every rank says the cause, and the exit code is 3") {
  ChildProcess job = start("throw", 300s);
  const auto begin = Clock::now();
  const auto code = job.wait(30s);
  INFO(job.output());
  REQUIRE(code.has_value());
  CHECK(*code == 3);
  CHECK(seconds_since(begin) < 20);
  CHECK_THAT(job.output(), Catch::Contains("rank 0 says: worker 1: layer 'conv1' ran out of paper"));
  CHECK_THAT(job.output(), Catch::Contains("rank 1 says: layer 'conv1' ran out of paper"));
  CHECK_THAT(job.output(), Catch::Contains("rank 2 says: worker 1: layer 'conv1' ran out of paper"));
}

TEST_CASE("an exception that leaves MpiScope ends the job with exit code 3") {
  ChildProcess job = start("escape", 300s);
  const auto code = job.wait(30s);
  INFO(job.output());
  REQUIRE(code.has_value());
  CHECK(*code == 3);
}

TEST_CASE("a rank that leaves while others wait for it trips their deadline") {
  ChildProcess job = start("silent", 2s);
  const auto code = job.wait(30s);
  INFO(job.output());
  REQUIRE(code.has_value());
  CHECK(*code == 3);
  CHECK_THAT(job.output(), Catch::Contains("no worker made progress"));
}

}  // namespace
