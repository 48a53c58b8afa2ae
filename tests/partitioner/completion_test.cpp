#include <cstdlib>
#include <regex>
#include <sstream>

#include "call.h"
#include "pipedream/algorithm.h"
#include "planning/atomic_file.h"
#include "support/scratch_folder.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;
using Catch::StartsWith;

namespace {

const std::vector<std::string> kCommands = {"plan",    "show",   "simulate", "schedule",  "what-if",
                                            "compare", "import", "export",   "completion"};

std::string script(const std::string& shell) {
  const Outcome outcome = call({"completion", shell});
  REQUIRE(outcome.code == 0);
  return outcome.out;
}

// "--output", "-o", ...: what the lines of a help text start with.
std::vector<std::string> options_in_help(const std::string& command) {
  const std::string help = call({command, "--help"}).out;
  std::vector<std::string> names;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) {
    std::smatch found;
    if (!std::regex_search(line, found, std::regex("^  (-[^ ]*)"))) continue;
    std::istringstream parts(found[1]);
    for (std::string name; std::getline(parts, name, ',');) names.push_back(name);
  }
  return names;
}

// The part of a script that is about one subcommand.
std::string part(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t first = text.find(begin);
  REQUIRE(first != std::string::npos);
  return text.substr(first, text.find(end, first + begin.size()) - first);
}

std::string run_bash(const std::string& text) {
  const ScratchFolder folder;
  write_file_atomically(folder / "script", text);
  const std::string command = "bash " + (folder / "script") + " > " + (folder / "out") + " 2>&1";
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
  return read_whole_file(folder / "out");
}

}  // namespace

TEST_CASE("help: every subcommand has a usage, its options, examples and exit codes in lines of 100 columns") {
  std::vector<std::vector<std::string>> calls = {{"--help"}};
  for (const std::string& command : kCommands) calls.push_back({command, "--help"});
  for (const auto& arguments : calls) {
    INFO(arguments.front());
    const Outcome outcome = call(arguments);
    CHECK(outcome.code == 0);
    CHECK_THAT(outcome.out, Contains("\nUsage: pipedream") && Contains("\nOptions:\n") && Contains("\nExamples:\n") &&
                                Contains("\nExit codes:\n  0  success\n"));
    std::istringstream lines(outcome.out);
    for (std::string line; std::getline(lines, line);) {
      CHECK(line.size() <= 100);
      CHECK((line.empty() || line.back() != ' '));
    }
  }
  for (const std::string& command : kCommands) {
    INFO(command);
    CHECK_THAT(call({"--help"}).out, Contains("\n  " + command + " "));
    CHECK_THAT(call({command, "--help"}).out, Contains("Usage: pipedream " + command + " [OPTIONS] "));
  }
}

TEST_CASE("help: the command lines of the examples name options that exist") {
  for (const std::string& command : kCommands) {
    const std::string examples = part(call({command, "--help"}).out, "\nExamples:\n", "\nExit codes:");
    const auto known = options_in_help(command);
    for (std::istringstream words(examples); words;) {
      std::string word;
      words >> word;
      if (!word.starts_with("-")) continue;
      INFO(command << " " << word);
      CHECK(std::find(known.begin(), known.end(), word) != known.end());
    }
  }
}

TEST_CASE("completion: each shell's script has all subcommands and options") {
  const std::string bash = script("bash");
  const std::string zsh = script("zsh");
  const std::string fish = script("fish");
  for (const std::string& command : kCommands) {
    const auto names = options_in_help(command);
    CHECK(names.size() >= 2);  // --help has two
    const std::string bash_part = part(bash, "\n      " + command + ") ", "\n");
    const std::string zsh_part = part(zsh, "\n    " + command + ")\n", ";;");
    CHECK_THAT(zsh, Contains("'" + command + ":"));
    CHECK_THAT(fish, Contains("__fish_use_subcommand -f -a " + command + " "));
    for (const std::string& name : names) {
      INFO(command << " " << name);
      CHECK_THAT(bash_part, Contains(name + " ") || Contains(name + "'"));
      CHECK_THAT(zsh_part, Contains("'" + name + "["));
      const std::string dashless = name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      CHECK(std::regex_search(fish, std::regex("from " + command + "'[^\\n]*" + dashless + " ")));
    }
  }
  CHECK_THAT(usage_error({"completion", "tcsh"}), Contains("tcsh"));
}

TEST_CASE("completion: what bash makes of it") {
  const std::string out = run_bash(script("bash") + R"(
of() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pipedream; echo "${COMPREPLY[*]}"; }
of pipedream wh
of pipedream --ver
of pipedream plan --str
of pipedream plan --cost-model ''
of pipedream plan profile.json --depths s
of pipedream what-if --algorithm pipedream-
of pipedream completion f
of pipedream plan pro
)");
  CHECK(out ==
        "what-if\n--version\n--straight\npipedream pipedream-compat dapple 2bw simulated\nsimulated\n"
        "pipedream-vertical-sync pipedream-2bw\nfish\n\n");
}
