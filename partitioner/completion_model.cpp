#include "partitioner/completion_model.h"

#include <CLI/CLI.hpp>

#include "partitioner/command_help.h"
#include "pipedream/algorithm.h"
#include "pipedream/cost_model.h"

namespace pipedream::detail {
namespace {

template <class T>
std::vector<std::string> names_of(std::span<const T> values) {
  std::vector<std::string> names;
  for (const T value : values) names.emplace_back(to_string(value));
  return names;
}

// CLI11 describes a choice of names as "TEXT:{least,simulated}".
std::vector<std::string> choices(const std::string& type) {
  if (type == kAlgorithmType) return names_of(all_algorithms());
  if (type == kCostModelType) return names_of(all_cost_models());
  const std::size_t begin = type.find('{');
  const std::size_t end = type.find('}', begin);
  if (begin == std::string::npos || end == std::string::npos) return {};
  return CLI::detail::split(type.substr(begin + 1, end - begin - 1), ',');
}

CompletedOption completed(const CLI::Option& option) {
  CompletedOption result;
  for (const std::string& name : option.get_snames()) result.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) result.names.push_back("--" + name);
  result.description = option.get_description();
  result.takes_value = option.get_items_expected_max() > 0;
  if (result.takes_value) result.values = choices(option.get_type_name());
  return result;
}

CompletedCommand completed(const CLI::App& app) {
  CompletedCommand result{app.get_name(), app.get_description(), {}};
  for (const CLI::Option* option : app.get_options()) result.options.push_back(completed(*option));
  return result;
}

}  // namespace

std::vector<CompletedCommand> completed_commands(const CLI::App& app) {
  std::vector<CompletedCommand> commands = {completed(app)};
  for (const CLI::App* command : app.get_subcommands({})) commands.push_back(completed(*command));
  return commands;
}

}  // namespace pipedream::detail
