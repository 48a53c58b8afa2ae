#include "pipedream/profiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>

#include "pipedream/error.h"
#include "runtime/device_facts.h"
#include "runtime/profiled_model.h"
#include "runtime/profiler_memory.h"
#include "runtime/profiler_probe.h"
#include "runtime/profiler_time.h"
#include "runtime/threads_scope.h"
#include "transport/agreement.h"
#include "transport/device.h"

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
}

std::vector<TensorProfile> tensor_profiles(const detail::ProfiledModel& model, const detail::ProbeResult& probe,
                                           const std::vector<std::optional<std::size_t>>& view_of) {
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
    if (view_of[slot] && !model.slots()[*view_of[slot]].is_data) tensor.view_of = model.slots()[*view_of[slot]].name;
  }
  return tensors;
}

// One worker's model and what it found, before anything is timed.
struct Local {
  torch::Device device = torch::kCPU;
  std::optional<c10::Stream> stream;
  std::optional<detail::ProfiledModel> model;
  Tensors data;
  Profile profile;
};

Local prepare(const LayerGraph& graph, const Dataset& data, const ProfileOptions& options, torch::Device device) {
  Local local;
  local.device = device;
  local.stream = detail::make_stream(device);
  const detail::StreamScope stream(local.stream);
  const detail::ThreadsScope threads(options.threads_per_worker);
  const std::int64_t rows = std::min(data.size(), options.microbatch_size);
  if (rows < 1) throw ConfigError("profile: the data set is empty");
  std::vector<std::int64_t> first_rows(static_cast<std::size_t>(rows));
  std::iota(first_rows.begin(), first_rows.end(), 0);
  local.model.emplace(graph, options.seed, device);
  local.data = local.model->fetch(data, first_rows);
  const detail::ProbeResult probe = detail::probe(*local.model, local.data);
  local.profile.graph_hash = graph.hash();
  local.profile.microbatch_size = rows;
  detail::ModelMemory memory = detail::measure_memory(*local.model, probe);
  local.profile.layers = std::move(memory.layers);
  local.profile.tensors = tensor_profiles(*local.model, probe, memory.view_of);
  return local;
}

// Every figure of all workers brought to one: `combine` gets the workers' values of one figure.
template <class Figure, class Combine>
void agree_on(Communicator& comm, const std::vector<Figure*>& figures, Combine combine) {
  std::string mine;
  for (const Figure* figure : figures) mine.append(reinterpret_cast<const char*>(figure), sizeof(Figure));
  const std::vector<std::string> all = comm.all_gather(mine);
  for (std::size_t i = 0; i < figures.size(); ++i) {
    std::vector<Figure> values(all.size());
    for (std::size_t worker = 0; worker < all.size(); ++worker) {
      std::memcpy(&values[worker], all[worker].data() + i * sizeof(Figure), sizeof(Figure));
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
  agree_on(comm, figures, detail::median);
}

// What a device's allocator gives depends on what it has given before, so that workers may differ a little.
void take_memory(Profile& profile, Communicator& comm) {
  std::vector<std::int64_t*> figures;
  for (LayerProfile& layer : profile.layers) {
    figures.insert(figures.end(), {&layer.kept_bytes, &layer.forward_peak_bytes, &layer.backward_peak_bytes});
  }
  agree_on(comm, figures, [](const auto& bytes) { return *std::max_element(bytes.begin(), bytes.end()); });
}

// What must be equal on all workers; bytes are, when the graphs and the data are.
std::string bytes_text(const Profile& profile, torch::Device device) {
  std::string text;
  for (const LayerProfile& layer : profile.layers) {
    text +=
        fmt::format("{} {} {} {} ", layer.parameter_bytes, layer.buffer_bytes, layer.keeps_input, layer.keeps_output);
    if (device.is_cpu()) text += fmt::format("{} ", layer.kept_bytes);
  }
  for (const TensorProfile& tensor : profile.tensors) text += fmt::format("{} ", tensor.bytes);
  return text;
}

}  // namespace

Profile profile(const LayerGraph& graph, const Dataset& data, Communicator& comm, const ProfileOptions& options) {
  Local local;
  detail::agree(comm, [&]() -> detail::Facts {
    check(options);
    local = prepare(graph, data, options, detail::resolve_device(options.device, comm));
    return {{"the layer graph", local.profile.graph_hash},
            {"the microbatch size", std::to_string(local.profile.microbatch_size)},
            {"the number of repetitions", fmt::format("{}+{}", options.warmup, options.repetitions)},
            {"the type of device", c10::DeviceTypeName(local.device.type(), /*lower_case=*/true)},
            {"what layers and tensors take", detail::digest(bytes_text(local.profile, local.device))}};
  });
  Profile& result = local.profile;
  take_memory(result, comm);
  {
    const detail::StreamScope stream(local.stream);
    const detail::ThreadsScope threads(options.threads_per_worker);
    const detail::TimeOptions times{options.warmup, options.repetitions, options.seconds};
    take_times(result, detail::measure_times(*local.model, local.data, comm, times), comm);
  }
  result.device = comm.all_gather(detail::device_name(local.device)).front();
  result.workers_computing = comm.local_size();
  result.threads_per_worker = options.threads_per_worker;
  result.topology = measure_topology(comm, local.device);
  return std::move(local.profile);
}

}  // namespace pipedream
