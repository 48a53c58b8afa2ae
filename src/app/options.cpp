#include "app/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include "app/algorithm_options.h"
#include "app/devices.h"
#include "app/raw_options.h"
#include "pipedream/error.h"
#include "pipedream/version.h"

namespace pipedream::detail {
namespace {

DeviceTransport parse_transport(const std::string& name) {
  if (name == "nccl") return DeviceTransport::nccl;
  return name == "host" ? DeviceTransport::host : DeviceTransport::automatic;
}

void finish(RawOptions& raw, const Application& application) {
  Options& options = raw.options;
  options.device = parse_device(raw.device);
  options.transport = parse_transport(raw.transport);
  // A range check lets "nan" pass.
  if (std::isnan(options.deadline_s)) throw ConfigError("--deadline nan: it must be a number of seconds");
  if (!options.recalibrate.empty() && !options.plan.empty() && options.profile.empty()) {
    throw ConfigError("--recalibrate: with --plan there is no profile to correct; give it with --profile");
  }
  if (!raw.algorithm.empty()) options.algorithm = parse_algorithm(raw.algorithm);
  options.optimizer = raw.optimizer.choose(application.optimizer);
  options.cost_model = parse_cost_model(raw.cost_model);
  options.simulates_depths = asks_for_simulated_depths(raw.depths, options.cost_model);
  if (!raw.recompute.empty()) options.recompute = parse_stages(raw.recompute);
  if (!raw.segments.empty()) options.segments = parse_segments(raw.segments);
  const bool has_settings = raw.annealing_microbatches > 0 || raw.decay;
  if (!raw.corrections.empty() || has_settings) {
    const double decay = raw.decay.value_or(kDefaultT2Decay);
    options.corrections =
        parse_corrections(raw.corrections.empty() ? "t1,t2" : raw.corrections, raw.annealing_microbatches, decay);
  }
}

// CLI11 would only say that a subcommand is required.
void refuse_unknown_command(CLI::App& app, int argc, const char* const* argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> known;
  for (const CLI::App* command : app.get_subcommands({})) known.push_back(command->get_name());
  if (std::find(known.begin(), known.end(), argv[1]) == known.end()) {
    throw ConfigError(fmt::format("there is no command \"{}\"; known: {}", argv[1], fmt::join(known, ", ")));
  }
}

// Messages are one line, whatever a library puts into them.
std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

struct Parser {
  explicit Parser(const Application& application) : app("Trains a pipeline of workers", application.name) {
    raw.options.microbatch_size = application.microbatch_size;
    raw.options.epochs = application.epochs;
    app.require_subcommand(1);
    app.set_version_flag("--version", fmt::format("{} (pipedream {})", application.name, version()));
    profile = app.add_subcommand("profile", "Measure each layer and the links between the workers");
    train = app.add_subcommand("train", "Train, then evaluate on the test data");
    evaluate = app.add_subcommand("evaluate", "Evaluate saved weights on the test data");
    verify = app.add_subcommand("verify", "Compare a few microbatches under a plan with one process, bit for bit");
    for (CLI::App* command : {profile, train, evaluate, verify}) add_common(*command, raw);
    add_profile(*profile, raw.options);
    for (CLI::App* command : {train, verify}) {
      add_planning(*command, raw);
      add_algorithm(*command, raw);
    }
    add_training(*train, raw);
    add_verification(*verify, raw);
    add_files(*train, raw.options);
    evaluate->add_option("--weights", raw.options.weights, "The safetensors file to evaluate")->required();
    evaluate->add_option("--plan", raw.options.plan, "Run this plan's stages; without it, all layers on every worker");
  }

  CLI::App app;
  RawOptions raw;
  CLI::App* profile = nullptr;
  CLI::App* train = nullptr;
  CLI::App* evaluate = nullptr;
  CLI::App* verify = nullptr;
};

}  // namespace

ParsedOptions parse_options(int argc, const char* const* argv, const Application& application) {
  Parser parser(application);
  try {
    refuse_unknown_command(parser.app, argc, argv);
    parser.app.parse(argc, argv);
    Options& options = parser.raw.options;
    options.command = parser.profile->parsed()  ? Command::profile
                      : parser.train->parsed()  ? Command::train
                      : parser.verify->parsed() ? Command::verify
                                                : Command::evaluate;
    finish(parser.raw, application);
    return {.options = options};
  } catch (const CLI::ParseError& error) {
    std::ostringstream text;
    const bool asked = parser.app.exit(error, text, text) == 0;
    if (asked) return {.text = text.str()};
    return {.text = fmt::format("{}: {} (--help tells more)\n", application.name, one_line(error.what())),
            .exit_code = kExitUsage};
  } catch (const ConfigError& error) {
    return {.text = fmt::format("{}: {}\n", application.name, error.what()), .exit_code = kExitUsage};
  }
}

}  // namespace pipedream::detail
