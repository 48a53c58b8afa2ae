#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>

#include "pipedream/action.h"
#include "pipedream/error.h"

namespace pipedream {
namespace {

// In the order of ActionKind.
constexpr std::string_view kLetters = "FBUAaSsRr";

class ActionParser {
 public:
  explicit ActionParser(std::string_view text) : text_(text) {}

  Action parse() {
    Action action;
    const std::size_t letter = text_.empty() ? std::string_view::npos : kLetters.find(text_[0]);
    if (letter == std::string_view::npos) {
      fail("one of the letters F B U A a S s R r");
    }
    ++position_;
    action.kind = static_cast<ActionKind>(letter);
    action.stage = number<std::int32_t>("a stage");
    if (is_message(action.kind)) {
      expect('>');
      action.peer = number<std::int32_t>("a stage");
      if (action.peer == action.stage) {
        fail("another stage than the sender's");
      }
    }
    expect('.');
    action.microbatch = number<std::int64_t>("a microbatch");
    if (!is_message(action.kind)) {
      parse_versioned(action);
    }
    if (position_ != text_.size()) {
      fail("the end");
    }
    return action;
  }

 private:
  void parse_versioned(Action& action) {
    const bool is_pass = action.kind == ActionKind::forward || action.kind == ActionKind::backward;
    if (!is_pass) {
      action.covers = 1;
      if (accept('x')) {
        action.covers = number<std::int32_t>("a number of microbatches");
        if (action.covers < 2) {
          fail("a number of at least 2 (1 is left out)");
        }
      }
    }
    expect('@');
    expect('v');
    action.version = number<std::int64_t>("a version");
    if (is_pass) {
      action.frees_version = accept('-');
    } else if (action.version == 0) {
      fail("a version of at least 1");
    } else if (action.kind == ActionKind::update) {
      action.copies_version = accept('+');
    }
  }

  bool accept(char c) {
    if (position_ < text_.size() && text_[position_] == c) {
      ++position_;
      return true;
    }
    return false;
  }

  void expect(char c) {
    if (!accept(c)) {
      fail(fmt::format("'{}'", c));
    }
  }

  // No sign, no leading zeros: every number has one form.
  template <typename Integer>
  Integer number(std::string_view what) {
    const char* begin = text_.data() + position_;
    const char* end = text_.data() + text_.size();
    Integer value = 0;
    const auto [stop, error] = std::from_chars(begin, end, value);
    if (error == std::errc::invalid_argument || *begin == '-') {
      fail(what);
    }
    if (error == std::errc::result_out_of_range) {
      fail(fmt::format("{} of at most {}", what, std::numeric_limits<Integer>::max()));
    }
    if (*begin == '0' && stop - begin > 1) {
      fail(fmt::format("{} without leading zeros", what));
    }
    position_ = static_cast<std::size_t>(stop - text_.data());
    return value;
  }

  [[noreturn]] void fail(std::string_view expected) const {
    throw ConfigError(fmt::format("action \"{}\": expected {} at position {}", text_, expected, position_));
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace

bool is_message(ActionKind kind) { return kind >= ActionKind::send_post; }

std::string to_string(const Action& action) {
  const char letter = kLetters[static_cast<std::size_t>(action.kind)];
  if (is_message(action.kind)) {
    return fmt::format("{}{}>{}.{}", letter, action.stage, action.peer, action.microbatch);
  }
  std::string text = fmt::format("{}{}.{}", letter, action.stage, action.microbatch);
  if (action.covers > 1) {
    text += fmt::format("x{}", action.covers);
  }
  text += fmt::format("@v{}", action.version);
  if (action.frees_version) {
    text += '-';
  }
  if (action.copies_version) {
    text += '+';
  }
  return text;
}

Action parse_action(std::string_view text) { return ActionParser(text).parse(); }

}  // namespace pipedream
