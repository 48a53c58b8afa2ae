#include "fuzz/reader.h"
#include "pipedream/run_report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return pipedream::testing::check_reader(
      data, size, [](const std::string& text) { return pipedream::parse_report(text, "input"); },
      [](const auto& value) { return pipedream::to_json(value); });
}
