#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <limits>

#include "cases.h"
#include "models.h"
#include "pipedream/error.h"
#include "pipedream/trainer.h"

namespace pipedream::bench {
namespace {

// Written under another name first: who waits for the file finds it whole.
void write_file(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path unfinished = path.string() + ".new";
  {
    std::ofstream file(unfinished);
    file << text;
    if (!file.flush()) throw ConfigError(fmt::format("{} cannot be written", path.string()));
  }
  std::filesystem::rename(unfinished, path);
}

}  // namespace

std::vector<Result> run_victim(Communicator& comm, const Options& options) {
  using std::chrono::milliseconds;
  const Workload work = emulated(comm.size(), {.time = milliseconds(20), .floats = 1 << 16, .parameters = 1 << 10},
                                 least_warmup(comm.size()));
  write_file(options.pid_folder / std::to_string(comm.rank()), std::to_string(getpid()));
  Trainer trainer(work.graph, work.plan, comm, {.deadline = options.deadline, .first_deadline_factor = 1});
  bool told = false;
  TrainOptions training{.steps = std::numeric_limits<std::int32_t>::max(), .microbatch_size = 1, .shuffle = false};
  training.on_progress = [&](const TrainProgress& progress) {
    if (told || progress.microbatches < 10) return;
    told = true;
    write_file(options.pid_folder / "ready", "");
  };
  trainer.train(*work.data, training);
  return {};
}

}  // namespace pipedream::bench
