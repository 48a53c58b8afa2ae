// Tests of the communicator's contract are written once and run over every backend: each test program links one
// launcher.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "pipedream/communicator.h"

namespace pipedream::testing {

// Runs `work` on that many workers, each with a communicator of its own, and returns what each ended with: the text of
// its exception, or "". A worker that throws aborts the others. Every process of a backend gets the same answer.
std::vector<std::string> launch(int workers, const std::function<void(Communicator&)>& work);

// Most workers that launch can run.
int most_workers();

inline std::vector<std::string> all_well(int workers) {
  return std::vector<std::string>(static_cast<std::size_t>(workers));
}

// The assertions of Catch2 are for one thread only; a worker throws instead.
inline void expect(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error("expected: " + what);
}

// Does `action` throw an Exception whose text has `part` in it?
template <typename Exception, typename Action>
void expect_throw(const std::string& part, Action action) {
  try {
    action();
  } catch (const Exception& error) {
    expect(std::string(error.what()).find(part) != std::string::npos,
           "an error that says \"" + part + "\", not \"" + error.what() + "\"");
    return;
  }
  expect(false, "an error that says \"" + part + "\"");
}

}  // namespace pipedream::testing
