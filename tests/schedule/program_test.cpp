#include "pipedream/program.h"

#include <catch2/catch.hpp>

#include "pipedream/error.h"
#include "plans.h"

namespace pipedream {
namespace {

constexpr const char* kText =
    "worker 0: F0.0@v0 repeat 3 k+2 v+1,0 { B0.0@v0 S0>1.1 U0.0x2@v1 F0.2@v1 } B0.2@v1 s0>1.1\n"
    "worker 1: R0>1.0\n"
    "worker 2:\n";

std::string program_error(const std::string& text) {
  try {
    parse_program(text);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a program's repetitions shift microbatches and versions") {
  const Program program = parse_program(kText);
  CHECK(testing::text(expand(program.workers[0])) ==
        "F0.0@v0 B0.0@v0 S0>1.1 U0.0x2@v1 F0.2@v1 B0.2@v1 S0>1.3 U0.2x2@v2 F0.4@v2 B0.4@v2 S0>1.5 U0.4x2@v3 F0.6@v3 "
        "B0.8@v4 s0>1.7");
  CHECK(expand(program.workers[2]).empty());
}

TEST_CASE("at() and the cursor agree at every position") {
  const Program program = parse_program(kText);
  for (const WorkerProgram& worker : program.workers) {
    ActionCursor cursor(worker);
    for (std::int64_t i = 0; i < worker.size(); ++i) {
      CHECK(cursor.position() == i);
      const auto action = cursor.next();
      REQUIRE(action.has_value());
      CHECK(*action == worker.at(i));
    }
    CHECK_FALSE(cursor.next().has_value());
    CHECK_FALSE(cursor.next().has_value());
    CHECK(cursor.position() == worker.size());
    CHECK_THROWS_AS(worker.at(worker.size()), std::out_of_range);
    CHECK_THROWS_AS(worker.at(-1), std::out_of_range);
  }
}

TEST_CASE("a program's text parses back to it") {
  const Program program = parse_program(kText);
  CHECK(program.workers[0].repeats == 3);
  CHECK(to_text(program) == kText);
  CHECK(parse_program(to_text(program)) == program);
}

TEST_CASE("empty lines and comments are no part of a program") {
  CHECK(parse_program("# by hand\n\nworker 0:  F0.0@v0\tB0.0@v0 \n  # end") ==
        parse_program("worker 0: F0.0@v0 B0.0@v0"));
}

TEST_CASE("an error in a program's text names line and column") {
  CHECK(program_error("worker 0: F0.0@v0\nworker 1: F0.1@v0 Q0.1") ==
        "program, line 2, column 19: action \"Q0.1\": expected one of the letters F B U A a S s R r at position 0");
  CHECK(program_error("worker 1: F0.0@v0") == "program, line 1, column 8: expected \"0:\", found \"1:\"");
  CHECK(program_error("F0.0@v0") == "program, line 1, column 1: expected \"worker\", found \"F0.0@v0\"");
  CHECK(program_error("worker 0: repeat 2 k+1 v+1 { F0.0@v0") ==
        "program, line 1, column 37: expected \"}\", found \"\"");
  CHECK(program_error("worker 0: repeat x k+1 v+1 { }") ==
        "program, line 1, column 18: expected a number, found \"x\"");
  CHECK(program_error("worker 0: repeat 2 v+1 { }") == "program, line 1, column 20: expected \"k+...\", found \"v+1\"");
  CHECK(program_error("worker 0: repeat 2 k+1 v+1 { F1.0@v0 }") ==
        "program, line 1, column 39: expected a version shift for stage 1 of F1.0@v0");
  CHECK(program_error("worker 0: F0.0@v0 }") ==
        "program, line 1, column 19: expected an action, \"repeat\", found \"}\"");
}

}  // namespace pipedream
