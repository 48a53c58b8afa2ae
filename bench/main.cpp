// One program for all cases: pipedream_bench CASE --threads 2, or mpirun -n 2 pipedream_bench CASE.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <exception>

#include "cases.h"
#include "pipedream/error.h"
#include "pipedream/mpi_communicator.h"
#include "pipedream/process_memory.h"
#include "world.h"

namespace {

using namespace pipedream::bench;  // NOLINT(google-build-using-namespace)

struct Case {
  const char* name;
  const char* help;
  std::vector<Result> (*run)(pipedream::Communicator&, const Options&);
};

constexpr std::array kCases{
    Case{"emulated", "2 workers that wait 100 ms a stage, messages of 4 MiB", run_emulated},
    Case{"deep", "any number of workers that wait 40 ms for a microbatch, every algorithm", run_deep},
    Case{"links", "the same over links on which a message takes a third of that", run_links},
    Case{"order", "several plans of the digits and of a deeper chain; with 3 workers or more, emulated", run_order},
    Case{"compute-bound", "8 blocks Linear(512,2048)-ReLU-Linear(2048,512)", run_compute_bound},
    Case{"wide", "8 blocks Linear(4096,16384)-ReLU-Linear(16384,4096), for GPUs", run_wide},
    Case{"overhead-bound", "8 x Linear(64,64)-ReLU", run_overhead_bound},
    Case{"transport", "messages through the communicator against bare MPI, 2 ranks", run_transport},
    Case{"victim", "trains until it is killed (for bench/failure.py)", run_victim},
};

// What the command line says in other words than Options.
struct Words {
  std::string device = "cpu";
  std::int64_t deadline_ms = 10000;
  std::vector<std::string> algorithms = {};
};

void add_options(CLI::App& command, Options& options, Words& words) {
  command.add_option("--threads", options.threads, "Workers as threads of this process; without it, MPI ranks");
  command.add_option("--samples", options.samples, "Samples of each figure")->check(CLI::PositiveNumber);
  command.add_flag("--quick", options.quick, "One short sample: only shows that it runs");
  command.add_flag("--pin", options.pin, "Each worker on a core of its own");
  command.add_flag("--realtime", options.realtime, "At real-time priority, where others use the machine meanwhile");
  command.add_option("--algorithms", words.algorithms, "deep: only these, with commas between them")->delimiter(',');
  command.add_option("--label", options.label, "How the workers were started, for the report");
  command.add_option("--json", options.json, "File for the results");
  command.add_option("--pid-folder", options.pid_folder, "victim: folder for the process ids");
  command.add_option("--device", words.device, "compute-bound, overhead-bound, wide: cpu or cuda");
  command.add_flag("--nccl", options.nccl, "Ranks on a device: NCCL between them, not the host's memory");
  command.add_option("--deadline-ms", words.deadline_ms, "victim: deadline of its waits");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Measures pipedream; bench/README.md defines the figures. What is measured is never judged by exit code.");
  app.require_subcommand(1);
  Options options;
  Words words;
  const Case* chosen = nullptr;
  for (const Case& one : kCases) {
    CLI::App* command = app.add_subcommand(one.name, one.help);
    add_options(*command, options, words);
    command->callback([&chosen, &one] { chosen = &one; });
  }
  CLI11_PARSE(app, argc, argv);
  options.deadline = std::chrono::milliseconds(words.deadline_ms);
  if (options.threads < 1 && !pipedream::MpiScope::launched()) {
    fmt::print(stderr, "{}: say --threads N, or start it with mpirun\n", chosen->name);
    return pipedream::kExitUsage;
  }
  pipedream::keep_freed_memory();
  try {
    options.device = torch::Device(words.device);
    for (const std::string& name : words.algorithms) options.algorithms.push_back(pipedream::parse_algorithm(name));
    on_every_worker(argc, argv, options, [&](pipedream::Communicator& comm) {
      const std::vector<Result> results = chosen->run(comm, options);
      if (comm.rank() == 0) report(results, options.json);
    });
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return pipedream::kExitFailure;
  }
  return 0;
}
