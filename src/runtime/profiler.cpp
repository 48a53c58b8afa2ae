#include "pipedream/profiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <numeric>
#include <optional>

#include "pipedream/error.h"
#include "transport/agreement.h"
#include "runtime/profiled_model.h"
#include "runtime/profiler_memory.h"
#include "runtime/profiler_probe.h"
#include "runtime/profiler_time.h"
#include "runtime/threads_scope.h"

namespace pipedream {
namespace {

void demand(bool holds, const char* field, double value, const char* range) {
  if (!holds) throw ConfigError(fmt::format("profile: {} is {}; it must be {}", field, value, range));
}

void check(const ProfileOptions& options) {
  demand(options.microbatch_size >= 1, "microbatch_size", static_cast<double>(options.microbatch_size), "1 or more");
  demand(options.warmup >= 0, "warmup", options.warmup, "0 or more");
  demand(options.repetitions >= 1, "repetitions", options.repetitions, "1 or more");
  demand(options.threads_per_worker >= 1, "threads_per_worker", options.threads_per_worker, "1 or more");
  demand(options.seconds >= 0, "seconds", options.seconds, "0 or more");
  if (!options.device.is_cpu()) {
    throw ConfigError(fmt::format("profile: device {} is not supported; only the CPU is", options.device.str()));
  }
}

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const auto colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return "CPU " + line.substr(colon + 2);
  }
  return "CPU";
}

std::vector<TensorProfile> tensor_profiles(const detail::ProfiledModel& model, const detail::ProbeResult& probe) {
  std::vector<TensorProfile> tensors;
  for (std::size_t slot = 0; slot < model.slots().size(); ++slot) {
    const detail::Slot& from = model.slots()[slot];
    if (from.is_data || slot == model.loss_slot()) continue;
    TensorProfile& tensor = tensors.emplace_back();
    tensor.name = from.name;
    tensor.producer = model.layers()[from.producer].name;
    for (const std::size_t consumer : from.consumers) tensor.consumers.push_back(model.layers()[consumer].name);
    tensor.bytes = detail::tensor_bytes(probe.values[slot]);
    tensor.requires_gradient = probe.requires_gradient[slot];
  }
  return tensors;
}

// One worker's model and what it found, before anything is timed.
struct Local {
  std::optional<detail::ProfiledModel> model;
  Tensors data;
  Profile profile;
};

Local prepare(const LayerGraph& graph, const Dataset& data, const ProfileOptions& options) {
  Local local;
  const std::int64_t rows = std::min(data.size(), options.microbatch_size);
  if (rows < 1) throw ConfigError("profile: the data set is empty");
  std::vector<std::int64_t> first_rows(static_cast<std::size_t>(rows));
  std::iota(first_rows.begin(), first_rows.end(), 0);
  local.model.emplace(graph, options.seed, options.device);
  local.data = local.model->fetch(data, first_rows);
  const detail::ProbeResult probe = detail::probe(*local.model, local.data);
  local.profile.graph_hash = graph.hash();
  local.profile.microbatch_size = rows;
  local.profile.layers = detail::measure_memory(*local.model, probe);
  local.profile.tensors = tensor_profiles(*local.model, probe);
  return local;
}

// Every figure of all workers brought to one: `combine` gets the workers' values of one figure.
template <class Combine>
void agree_on(Communicator& comm, std::vector<double*> figures, Combine combine) {
  std::string mine;
  for (const double* figure : figures) mine.append(reinterpret_cast<const char*>(figure), sizeof(double));
  const std::vector<std::string> all = comm.all_gather(mine);
  for (std::size_t i = 0; i < figures.size(); ++i) {
    std::vector<double> values(all.size());
    for (std::size_t worker = 0; worker < all.size(); ++worker) {
      std::memcpy(&values[worker], all[worker].data() + i * sizeof(double), sizeof(double));
    }
    *figures[i] = combine(std::move(values));
  }
}

void take_times(Profile& profile, const detail::ModelTimes& times, Communicator& comm) {
  profile.whole_forward_us = times.whole_forward_us;
  profile.whole_backward_us = times.whole_backward_us;
  std::vector<double*> figures{&profile.whole_forward_us, &profile.whole_backward_us};
  for (std::size_t layer = 0; layer < profile.layers.size(); ++layer) {
    profile.layers[layer].forward_us = times.forward_us[layer];
    profile.layers[layer].backward_us = times.backward_us[layer];
    figures.push_back(&profile.layers[layer].forward_us);
    figures.push_back(&profile.layers[layer].backward_us);
  }
  agree_on(comm, std::move(figures), detail::median);
}

// What must be equal on all workers; bytes are, when the graphs and the data are.
std::string bytes_text(const Profile& profile) {
  std::string text;
  for (const LayerProfile& layer : profile.layers) {
    text += fmt::format("{} {} {} {} {} ", layer.parameter_bytes, layer.buffer_bytes, layer.kept_bytes,
                        layer.keeps_input, layer.keeps_output);
  }
  for (const TensorProfile& tensor : profile.tensors) text += fmt::format("{} ", tensor.bytes);
  return text;
}

}  // namespace

Profile profile(const LayerGraph& graph, const Dataset& data, Communicator& comm, const ProfileOptions& options) {
  Local local;
  detail::agree(comm, [&]() -> detail::Facts {
    check(options);
    const detail::ThreadsScope threads(options.threads_per_worker);
    local = prepare(graph, data, options);
    return {{"the layer graph", local.profile.graph_hash},
            {"the microbatch size", std::to_string(local.profile.microbatch_size)},
            {"the number of repetitions", fmt::format("{}+{}", options.warmup, options.repetitions)},
            {"what layers and tensors take", detail::digest(bytes_text(local.profile))}};
  });
  Profile& result = local.profile;
  {
    const detail::ThreadsScope threads(options.threads_per_worker);
    const detail::TimeOptions times{options.warmup, options.repetitions, options.seconds};
    take_times(result, detail::measure_times(*local.model, local.data, comm, times), comm);
  }
  result.device = comm.all_gather(processor_name()).front();
  result.workers_computing = comm.local_size();
  result.threads_per_worker = options.threads_per_worker;
  result.topology = measure_topology(comm);
  return std::move(local.profile);
}

}  // namespace pipedream
