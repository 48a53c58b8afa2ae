#include "runtime/random.h"

#include <ATen/Context.h>
#include <xxhash.h>

#include <string>

namespace pipedream {
namespace {

std::recursive_mutex& generator_lock() {
  static std::recursive_mutex mutex;
  return mutex;
}

at::CPUGeneratorImpl& default_generator() {
  return *static_cast<at::CPUGeneratorImpl*>(at::detail::getDefaultCPUGenerator().unsafeGetGeneratorImpl());
}

class SeedBytes {
 public:
  explicit SeedBytes(std::string_view tag) : bytes_(tag) { bytes_.push_back('\0'); }
  SeedBytes& add(std::uint64_t value) {
    for (int byte = 0; byte < 8; ++byte) bytes_.push_back(static_cast<char>(value >> (8 * byte)));
    return *this;
  }
  SeedBytes& add(std::string_view name) {
    bytes_ += name;
    return *this;
  }
  std::uint64_t hash() const { return XXH64(bytes_.data(), bytes_.size(), 0); }

 private:
  std::string bytes_;
};

bool same_state(const at::mt19937_data_pod& a, const at::mt19937_data_pod& b) {
  return a.left_ == b.left_ && a.next_ == b.next_ && a.state_ == b.state_;
}

}  // namespace

std::uint64_t layer_seed(std::uint64_t run_seed, std::string_view layer) {
  return SeedBytes("layer").add(run_seed).add(layer).hash();
}

std::uint64_t forward_seed(std::uint64_t run_seed, std::string_view layer, std::int64_t microbatch) {
  return SeedBytes("forward").add(run_seed).add(static_cast<std::uint64_t>(microbatch)).add(layer).hash();
}

std::uint64_t shuffle_seed(std::uint64_t run_seed, std::int64_t epoch) {
  return SeedBytes("shuffle").add(run_seed).add(static_cast<std::uint64_t>(epoch)).hash();
}

// The state is copied as a value: get_state and set_state do the same through a tensor of 5 KB. (An engine made empty
// first would seed itself, for as long as all the rest takes.)
GeneratorScope::State GeneratorScope::take_and_seed(at::CPUGeneratorImpl& generator, std::uint64_t seed) {
  const std::lock_guard<std::mutex> guard(generator.mutex_);
  State found{generator.engine(), generator.next_float_normal_sample(), generator.next_double_normal_sample()};
  generator.set_current_seed(seed);
  return found;
}

// A GPU's generator counts: its state is a seed and how far it has come.
std::optional<GeneratorScope::DeviceState> GeneratorScope::take_and_seed(torch::Device device, std::uint64_t seed) {
  if (!device.is_cuda()) return std::nullopt;
  at::Generator generator = at::globalContext().defaultGenerator(device);
  const std::lock_guard<std::mutex> guard(generator.mutex());
  const DeviceState found{generator, generator.current_seed(), generator.get_offset()};
  generator.set_current_seed(seed);
  return found;
}

GeneratorScope::GeneratorScope(std::uint64_t seed, torch::Device device)
    : lock_(generator_lock()),
      generator_(default_generator()),
      found_(take_and_seed(generator_, seed)),
      found_on_device_(take_and_seed(device, seed)) {}

GeneratorScope::~GeneratorScope() {
  const std::lock_guard<std::mutex> guard(generator_.mutex_);
  generator_.set_engine(found_.engine);
  generator_.set_next_float_normal_sample(found_.float_sample);
  generator_.set_next_double_normal_sample(found_.double_sample);
  if (!found_on_device_) return;
  at::Generator& generator = found_on_device_->generator;
  const std::lock_guard<std::mutex> device_guard(generator.mutex());
  generator.set_current_seed(found_on_device_->seed);
  generator.set_offset(found_on_device_->offset);
}

bool draws_random_numbers(const std::function<void()>& work, torch::Device device) {
  const GeneratorScope scope(0, device);
  at::CPUGeneratorImpl& generator = default_generator();
  const at::mt19937_data_pod before = generator.engine().data();
  work();
  // Every draw goes through the engine, except that of a normal sample that an earlier draw left over; there is none
  // right after seeding.
  if (!same_state(before, generator.engine().data())) return true;
  return device.is_cuda() && at::globalContext().defaultGenerator(device).get_offset() != 0;
}

}  // namespace pipedream
