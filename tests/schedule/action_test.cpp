#include "pipedream/action.h"

#include <catch2/catch.hpp>
#include <random>

#include "pipedream/error.h"

namespace pipedream {
namespace {

Action random_action(std::mt19937_64& generator) {
  const auto draw = [&](std::int64_t least, std::int64_t greatest) {
    return std::uniform_int_distribution<std::int64_t>(least, greatest)(generator);
  };
  const std::int64_t most = std::int64_t{1} << draw(0, 62);
  Action action;
  action.kind = static_cast<ActionKind>(draw(0, 8));
  action.stage = static_cast<std::int32_t>(draw(0, 2000));
  action.microbatch = draw(0, most);
  if (is_message(action.kind)) {
    action.peer = static_cast<std::int32_t>((action.stage + draw(1, 1999)) % 2001);
    return action;
  }
  action.version = draw(1, most);
  if (action.kind == ActionKind::forward || action.kind == ActionKind::backward) {
    action.version -= 1;
    action.frees_version = draw(0, 1) == 1;
  } else {
    action.covers = static_cast<std::int32_t>(draw(1, 2'000'000'000));
    action.copies_version = action.kind == ActionKind::update && draw(0, 1) == 1;
  }
  return action;
}

std::string message_of(std::string_view text) {
  try {
    parse_action(text);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("an action's text says what it does") {
  Action backward;
  backward.kind = ActionKind::backward;
  backward.stage = 2;
  backward.microbatch = 7;
  backward.version = 4;
  backward.frees_version = true;
  CHECK(to_string(backward) == "B2.7@v4-");

  Action update;
  update.kind = ActionKind::update;
  update.stage = 2;
  update.microbatch = 6;
  update.covers = 2;
  update.version = 5;
  update.copies_version = true;
  CHECK(to_string(update) == "U2.6x2@v5+");
  update.covers = 1;
  CHECK(to_string(update) == "U2.6@v5+");

  Action receive;
  receive.kind = ActionKind::receive_post;
  receive.stage = 1;
  receive.peer = 2;
  receive.microbatch = 7;
  CHECK(to_string(receive) == "R1>2.7");
}

TEST_CASE("the text of an action parses back to it") {
  std::mt19937_64 generator(1);
  for (int i = 0; i < 5000; ++i) {
    const Action action = random_action(generator);
    INFO(to_string(action));
    REQUIRE(parse_action(to_string(action)) == action);
  }
}

TEST_CASE("only what to_string writes is an action") {
  for (const char* text : {"",
                           "X0.0@v0",
                           "F",
                           "F0",
                           "F0.0",
                           "F0.0@",
                           "F0.0@v",
                           "F0.0@v0+",
                           "F0.0@v0 ",
                           " F0.0@v0",
                           "F00.0@v0",
                           "F0.00@v0",
                           "F0.0@v-1",
                           "F-1.0@v0",
                           "F0.0x2@v0",
                           "U0.0@v0",
                           "U0.0x1@v1",
                           "U0.0x0@v1",
                           "U0.0x@v1",
                           "U0.0@v1-",
                           "A0.0@v1+",
                           "S0.0",
                           "S0>0.1",
                           "S0>1.0@v0",
                           "S0>1",
                           "S0>-1.0",
                           "r0>1.",
                           "f0.0@v0",
                           "F2147483648.0@v0",
                           "F0.9223372036854775808@v0",
                           "F0.0@v0--"}) {
    INFO(text);
    CHECK(message_of(text) != "accepted");
  }
  CHECK(message_of("B2.7v4") == "action \"B2.7v4\": expected '@' at position 4");
  CHECK(message_of("S2>2.7") == "action \"S2>2.7\": expected another stage than the sender's at position 4");
}

}  // namespace pipedream
