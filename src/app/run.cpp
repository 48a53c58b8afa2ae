#include "pipedream/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include "app/agree.h"
#include "app/devices.h"
#include "app/launch.h"
#include "app/logging.h"
#include "app/options.h"
#include "app/session.h"
#include "app/signals.h"
#include "pipedream/error.h"
#include "pipedream/mpi_communicator.h"
#include "pipedream/process_memory.h"

namespace pipedream {
namespace {

using namespace detail;

// Loading data and measuring layers are no training steps: they get more time than a short --deadline gives.
constexpr std::chrono::seconds kLeastSetUpDeadline{300};

void print_error(const std::string& speaker, const std::string& text) {
  const std::string line = fmt::format("{}: {}\n", speaker, text);
  std::fflush(stdout);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void check_workers(const Options& options, const Communicator& comm) {
  if (options.workers != 0 && options.workers != comm.size()) {
    throw ConfigError(
        fmt::format("--workers {}: the launcher started {} rank(s); leave the option out or make them equal",
                    options.workers, comm.size()));
  }
}

int run_command(Session& session) {
  switch (session.options.command) {
    case Command::profile:
      return run_profile(session);
    case Command::train:
      return run_train(session);
    case Command::evaluate:
      return run_evaluate(session);
    case Command::verify:
      return run_verify(session);
  }
  return kExitUsage;
}

int run_worker(const Options& options, Model& model, Communicator& comm, bool launched) {
  set_log_rank(comm.rank());
  comm.set_deadline(std::max<std::chrono::milliseconds>(options.deadline(), kLeastSetUpDeadline));
  int exit_code = 0;
  stop_together(comm, [&] {
    if (launched) agreed(comm, [&] { check_workers(options, comm); });
    Options own = options;
    own.device = placed_device(comm, options);
    check_device(comm, own);
    const std::unique_ptr<Communicator> nccl = launched ? open_nccl(comm, own) : nullptr;
    Session session{own, model, nccl ? *nccl : comm, Console(comm.rank() == 0), launched};
    exit_code = run_command(session);
  });
  return exit_code;
}

int run_threads(const Options& options, const Application& application) {
  Model model(application);
  try {
    int exit_code = 0;
    run_in_threads(std::max(1, options.workers), [&](Communicator& comm) {
      const int code = run_worker(options, model, comm, false);
      if (comm.rank() == 0) exit_code = code;
    });
    return exit_code;
  } catch (const ConfigError& error) {
    print_error(application.name, error.what());
    return kExitUsage;
  } catch (const std::exception& error) {
    print_error(application.name, error.what());
    return kExitFailure;
  }
}

// The communicator is closed before MPI ends.
int run_rank(const Options& options, const Application& application) {
  const std::unique_ptr<Communicator> comm = make_mpi_communicator(MPI_COMM_WORLD);
  Model model(application);
  try {
    return run_worker(options, model, *comm, true);
  } catch (const ConfigError& error) {
    if (comm->rank() == 0) print_error(application.name, error.what());
    return kExitUsage;
  } catch (const std::exception& error) {
    print_error(fmt::format("{} (worker {})", application.name, comm->rank()), error.what());
    comm->abort(error.what());
    return kExitFailure;
  }
}

int run_launched(int argc, char** argv, const Options& options, const Application& application) {
  try {
    const MpiScope mpi(argc, argv);
    return run_rank(options, application);
  } catch (const std::exception& error) {
    print_error(fmt::format("{} (worker {})", application.name, launcher_rank()), error.what());
    return kExitFailure;
  }
}

}  // namespace

int run(int argc, char** argv, const Application& application) {
  const bool launched = MpiScope::launched();
  const ParsedOptions parsed = parse_options(argc, argv, application);
  if (!parsed.options) {
    if (!launched || launcher_rank() == 0) std::fputs(parsed.text.c_str(), parsed.exit_code == 0 ? stdout : stderr);
    return parsed.exit_code;
  }
  keep_freed_memory();
  const SignalScope signals;
  const LoggingScope logging(parsed.options->log_level);
  return launched ? run_launched(argc, argv, *parsed.options, application) : run_threads(*parsed.options, application);
}

}  // namespace pipedream
