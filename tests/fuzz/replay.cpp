// Without a fuzzer: every file of the folders on the command line, once.
#include <cstdio>
#include <filesystem>

#include "fuzz/reader.h"
#include "planning/atomic_file.h"

int main(int argc, char** argv) {
  int files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      std::printf("%s\n", entry.path().c_str());
      std::fflush(stdout);
      const std::string text = pipedream::read_whole_file(entry.path());
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
      ++files;
    }
  }
  // An empty corpus would pass for ever.
  return files > 0 ? 0 : 1;
}
