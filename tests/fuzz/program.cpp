#include "pipedream/program.h"

#include "fuzz/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return pipedream::testing::check_reader(
      data, size, [](const std::string& text) { return pipedream::parse_program(text); },
      [](const auto& value) { return pipedream::to_text(value); });
}
