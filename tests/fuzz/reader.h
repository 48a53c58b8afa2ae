// What a reader owes to any bytes whatever: a value that it writes and reads again as the same, or a ConfigError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "pipedream/error.h"

namespace pipedream::testing {

// read: text -> value, write: value -> text, read_written: the reader of that text. Ends the program where it is not
// so, as fuzzers want it.
template <class Read, class Write, class ReadWritten>
int check_reader(const std::uint8_t* data, std::size_t size, Read read, Write write, ReadWritten read_written) {
  std::string written;
  try {
    written = write(read(std::string(reinterpret_cast<const char*>(data), size)));
  } catch (const ConfigError&) {
    return 0;
  }
  // From here on a ConfigError is a failure too: what is written can be read.
  const std::string again = write(read_written(written));
  if (again != written) {
    std::fprintf(stderr, "written:\n%s\nwritten after reading that:\n%s\n", written.c_str(), again.c_str());
    std::abort();
  }
  return 0;
}

template <class Read, class Write>
int check_reader(const std::uint8_t* data, std::size_t size, Read read, Write write) {
  return check_reader(data, size, read, write, read);
}

}  // namespace pipedream::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
