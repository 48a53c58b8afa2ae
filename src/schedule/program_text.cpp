#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <string_view>

#include "pipedream/error.h"
#include "pipedream/program.h"

namespace pipedream {
namespace {

void append_actions(std::string& text, const std::vector<Action>& actions) {
  for (const Action& action : actions) {
    text += text.empty() ? "" : " ";
    text += to_string(action);
  }
}

// Cuts one line into words and keeps where it is.
class LineParser {
 public:
  LineParser(std::string_view line, std::int64_t line_number) : line_(line), line_number_(line_number) { advance(); }

  WorkerProgram parse(std::size_t worker) {
    take("worker");
    take(fmt::format("{}:", worker));
    WorkerProgram program;
    program.prologue = actions();
    if (word_ == "repeat") {
      parse_period(program);
      program.epilogue = actions();
      check_stages(program, program.period);
      check_stages(program, program.epilogue);
    }
    if (!word_.empty()) {
      fail(fmt::format("an action{}, found \"{}\"", program.period.empty() ? ", \"repeat\"" : "", word_));
    }
    return program;
  }

 private:
  void parse_period(WorkerProgram& program) {
    take("repeat");
    program.repeats = number(word_);
    advance();
    program.microbatch_shift = number(after_prefix("k+"));
    advance();
    std::string_view shifts = after_prefix("v+");
    while (!shifts.empty()) {
      const std::size_t comma = std::min(shifts.find(','), shifts.size());
      program.version_shift.push_back(number(shifts.substr(0, comma)));
      shifts.remove_prefix(std::min(comma + 1, shifts.size()));
    }
    advance();
    take("{");
    program.period = actions();
    take("}");
  }

  // Every version that is shifted needs its stage's shift.
  void check_stages(const WorkerProgram& program, const std::vector<Action>& shifted) const {
    for (const Action& action : shifted) {
      if (action.version >= 0 && static_cast<std::size_t>(action.stage) >= program.version_shift.size()) {
        fail(fmt::format("a version shift for stage {} of {}", action.stage, to_string(action)));
      }
    }
  }

  std::vector<Action> actions() {
    std::vector<Action> result;
    while (!word_.empty() && word_ != "repeat" && word_ != "{" && word_ != "}") {
      try {
        result.push_back(parse_action(word_));
      } catch (const ConfigError& error) {
        throw ConfigError(fmt::format("program, line {}, column {}: {}", line_number_, column_, error.what()));
      }
      advance();
    }
    return result;
  }

  std::string_view after_prefix(std::string_view prefix) const {
    if (!word_.starts_with(prefix)) {
      fail(fmt::format("\"{}...\", found \"{}\"", prefix, word_));
    }
    return word_.substr(prefix.size());
  }

  std::int64_t number(std::string_view digits) const {
    std::int64_t value = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || stop != digits.data() + digits.size() || digits[0] == '-') {
      fail(fmt::format("a number, found \"{}\"", word_));
    }
    return value;
  }

  void take(std::string_view expected) {
    if (word_ != expected) {
      fail(fmt::format("\"{}\", found \"{}\"", expected, word_));
    }
    advance();
  }

  void advance() {
    const std::size_t begin = std::min(line_.find_first_not_of(" \t\r", end_), line_.size());
    end_ = std::min(line_.find_first_of(" \t\r", begin), line_.size());
    word_ = line_.substr(begin, end_ - begin);
    column_ = static_cast<std::int64_t>(begin) + 1;
  }

  [[noreturn]] void fail(std::string_view expected) const {
    throw ConfigError(fmt::format("program, line {}, column {}: expected {}", line_number_, column_, expected));
  }

  std::string_view line_;
  std::int64_t line_number_;
  std::string_view word_;
  std::size_t end_ = 0;
  std::int64_t column_ = 1;
};

}  // namespace

std::string to_text(const WorkerProgram& program) {
  std::string text;
  append_actions(text, program.prologue);
  if (program.repeats > 0) {
    text += fmt::format("{}repeat {} k+{} v+{} {{", text.empty() ? "" : " ", program.repeats, program.microbatch_shift,
                        fmt::join(program.version_shift, ","));
    append_actions(text, program.period);
    text += " }";
  }
  append_actions(text, program.epilogue);
  return text;
}

std::string to_text(const Program& program) {
  std::string text;
  for (std::size_t worker = 0; worker < program.workers.size(); ++worker) {
    const std::string actions = to_text(program.workers[worker]);
    text += fmt::format("worker {}:{}{}\n", worker, actions.empty() ? "" : " ", actions);
  }
  return text;
}

Program parse_program(const std::string& text) {
  Program program;
  std::string_view rest = text;
  for (std::int64_t line_number = 1; !rest.empty(); ++line_number) {
    const std::size_t length = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, length);
    rest.remove_prefix(std::min(length + 1, rest.size()));
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first != std::string_view::npos && line[first] != '#') {
      program.workers.push_back(LineParser(line, line_number).parse(program.workers.size()));
    }
  }
  return program;
}

}  // namespace pipedream
