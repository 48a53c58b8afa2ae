#include "pipedream/algorithm.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "pipedream/error.h"

namespace pipedream {
namespace {

constexpr std::array kAlgorithms = {Algorithm::model_parallel,    Algorithm::data_parallel,    Algorithm::gpipe,
                                    Algorithm::flush_1f1b,        Algorithm::interleaved_1f1b, Algorithm::pipedream,
                                    Algorithm::vertical_sync,     Algorithm::two_bw,           Algorithm::pipemare,
                                    Algorithm::naive_asynchronous};

[[noreturn]] void fail_unknown(Algorithm algorithm) {
  throw ConfigError(fmt::format("algorithm number {} does not exist", static_cast<int>(algorithm)));
}

}  // namespace

std::span<const Algorithm> all_algorithms() { return kAlgorithms; }

std::string_view to_string(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::model_parallel:
      return "model-parallel";
    case Algorithm::data_parallel:
      return "data-parallel";
    case Algorithm::gpipe:
      return "gpipe";
    case Algorithm::flush_1f1b:
      return "1f1b-flush";
    case Algorithm::interleaved_1f1b:
      return "interleaved-1f1b";
    case Algorithm::pipedream:
      return "pipedream";
    case Algorithm::vertical_sync:
      return "pipedream-vertical-sync";
    case Algorithm::two_bw:
      return "pipedream-2bw";
    case Algorithm::pipemare:
      return "pipemare";
    case Algorithm::naive_asynchronous:
      return "naive-asynchronous";
  }
  fail_unknown(algorithm);
}

AlgorithmTraits traits_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::model_parallel:
      return {};
    case Algorithm::data_parallel:
    case Algorithm::gpipe:
      return {.chooses_update = true};
    case Algorithm::flush_1f1b:
      return {.has_warmup = true, .chooses_update = true};
    case Algorithm::interleaved_1f1b:
      return {.chooses_update = true, .shares_workers = true};
    case Algorithm::pipedream:
    case Algorithm::vertical_sync:
      return {.flushes = false, .has_warmup = true, .delays_reduction = true};
    case Algorithm::two_bw:
      return {.flushes = false, .has_warmup = true, .chooses_update = true};
    case Algorithm::pipemare:
    case Algorithm::naive_asynchronous:
      return {.flushes = false, .has_warmup = true, .chooses_update = true, .overwrites = true};
  }
  fail_unknown(algorithm);
}

std::string algorithm_names() {
  std::string names;
  for (const Algorithm algorithm : kAlgorithms) {
    names += (names.empty() ? "" : ", ") + std::string(to_string(algorithm));
  }
  return names;
}

Algorithm parse_algorithm(std::string_view name) {
  for (const Algorithm algorithm : kAlgorithms) {
    if (to_string(algorithm) == name) return algorithm;
  }
  throw ConfigError(fmt::format("unknown algorithm \"{}\" (known: {})", name, algorithm_names()));
}

}  // namespace pipedream
