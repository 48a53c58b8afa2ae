// Seeds of everything that is drawn at random, and the loan of LibTorch's default CPU generator.
//
// A seed is XXH64 (seed 0) over: a tag in ASCII, one zero byte, the run seed, and then, where the seed has them, the
// microbatch or epoch and the layer's name. Integers are 8 bytes, little-endian; the name comes last, without end mark.
// So draws depend on neither plan nor worker. (The default generator itself uses the low 32 bits of its seed only.)
#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string_view>

namespace pipedream {

// Of a layer's initialisation. Tag "layer".
std::uint64_t layer_seed(std::uint64_t run_seed, std::string_view layer);
// Of a layer's draws in the forward of one microbatch (global index), and in its recomputation. Tag "forward".
std::uint64_t forward_seed(std::uint64_t run_seed, std::string_view layer, std::int64_t microbatch);
// Of an epoch's order of rows. Tag "shuffle".
std::uint64_t shuffle_seed(std::uint64_t run_seed, std::int64_t epoch);

// Borrows the default CPU generator of the process, and the device's where the device is a GPU: seeded on construction,
// given back exactly as they were found on destruction. Workers that are threads share that generator, so a scope holds
// a lock of the process while it lives (recursive: scopes of one thread may nest). About 1 us in all, most of it
// seeding.
class GeneratorScope {
 public:
  explicit GeneratorScope(std::uint64_t seed, torch::Device device = torch::kCPU);
  ~GeneratorScope();
  GeneratorScope(const GeneratorScope&) = delete;
  GeneratorScope& operator=(const GeneratorScope&) = delete;

 private:
  struct State {
    at::mt19937 engine;
    std::optional<float> float_sample;
    std::optional<double> double_sample;
  };
  struct DeviceState {
    at::Generator generator;
    std::uint64_t seed, offset;
  };
  static State take_and_seed(at::CPUGeneratorImpl& generator, std::uint64_t seed);
  static std::optional<DeviceState> take_and_seed(torch::Device device, std::uint64_t seed);

  std::unique_lock<std::recursive_mutex> lock_;
  at::CPUGeneratorImpl& generator_;
  State found_;
  std::optional<DeviceState> found_on_device_;
};

// Whether one of the default generators that a GeneratorScope borrows advances while `work` runs. Runs it inside one.
bool draws_random_numbers(const std::function<void()>& work, torch::Device device = torch::kCPU);

}  // namespace pipedream
