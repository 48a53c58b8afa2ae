#include "pipedream/plan.h"

#include "fuzz/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return pipedream::testing::check_reader(
      data, size, [](const std::string& text) { return pipedream::parse_plan(text, "input"); },
      [](const auto& value) { return pipedream::to_json(value); });
}
