#include "partitioner/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "partitioner/completion_model.h"
#include "pipedream/error.h"

namespace pipedream {
namespace {

using detail::CompletedCommand;
using detail::CompletedOption;
using Commands = std::vector<CompletedCommand>;

std::vector<std::string> option_names(const CompletedCommand& command) {
  std::vector<std::string> names;
  for (const CompletedOption& option : command.options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return names;
}

std::vector<std::string> subcommand_names(const Commands& commands) {
  std::vector<std::string> names;
  for (std::size_t c = 1; c < commands.size(); ++c) names.push_back(commands[c].name);
  return names;
}

// What a positional argument can be, where that is a choice.
std::vector<std::string> positional_values(const CompletedCommand& command) {
  for (const CompletedOption& option : command.options) {
    if (option.names.empty() && !option.values.empty()) return option.values;
  }
  return {};
}

std::string escaped(const std::string& text, std::string_view special) {
  std::string result;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) result += '\\';
    result += c;
  }
  return result;
}

// In single quotes for a POSIX shell.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

std::string bash_script(const Commands& commands) {
  std::string values;
  std::string options;
  for (std::size_t c = 1; c < commands.size(); ++c) {
    for (const CompletedOption& option : commands[c].options) {
      if (option.names.empty() || option.values.empty()) continue;
      for (const std::string& name : option.names) {
        values += fmt::format("    '{} {}') words='{}' ;;\n", commands[c].name, name, fmt::join(option.values, " "));
      }
    }
    std::vector<std::string> words = positional_values(commands[c]);
    const std::vector<std::string> names = option_names(commands[c]);
    options += fmt::format("      {}) if [[ $current == -* ]]; then words='{}'; else words='{}'; fi ;;\n",
                           commands[c].name, fmt::join(names, " "), fmt::join(words, " "));
  }
  return fmt::format(R"sh(# Completion of pipedream for bash: eval "$(pipedream completion bash)"
_pipedream() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} words=
  case "${{COMP_WORDS[1]}} $previous" in
{}  esac
  if ((COMP_CWORD == 1)); then
    words='{} {}'
  elif [[ -z $words ]]; then
    case ${{COMP_WORDS[1]}} in
{}    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}}
complete -o default -F _pipedream pipedream
)sh",
                     values, fmt::join(subcommand_names(commands), " "), fmt::join(option_names(commands[0]), " "),
                     options);
}

std::string zsh_value(const CompletedOption& option) {
  if (!option.takes_value) return "";
  if (option.values.empty()) return ":value:_files";
  return fmt::format(":value:({})", fmt::join(option.values, " "));
}

std::string zsh_script(const Commands& commands) {
  std::string list;
  std::string cases;
  for (std::size_t c = 1; c < commands.size(); ++c) {
    const CompletedCommand& command = commands[c];
    list += "    " + quoted(command.name + ":" + escaped(command.description, ":")) + "\n";
    cases += fmt::format("    {})\n      _arguments", command.name);
    for (const CompletedOption& option : command.options) {
      for (const std::string& name : option.names) {
        const std::string meaning = escaped(option.description, "[]:");
        cases += " \\\n        " + quoted(fmt::format("{}[{}]{}", name, meaning, zsh_value(option)));
      }
    }
    const std::vector<std::string> words = positional_values(command);
    cases += " \\\n        " +
             quoted(words.empty() ? "*:file:_files" : fmt::format("*:value:({})", fmt::join(words, " "))) + " ;;\n";
  }
  return fmt::format(R"sh(#compdef pipedream
# Completion of pipedream for zsh: eval "$(pipedream completion zsh)", or as _pipedream in a folder of $fpath.
_pipedream() {{
  local -a commands=(
{}  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case ${{words[1]}} in
{}  esac
}}
if [[ ${{funcstack[1]}} == _pipedream ]]; then _pipedream "$@"; else compdef _pipedream pipedream; fi
)sh",
                     list, cases);
}

// In single quotes, where fish knows \' and \\ alone.
std::string fish_quoted(const std::string& text) { return "'" + escaped(text, "'\\") + "'"; }

std::string fish_option(const std::string& command, const CompletedOption& option) {
  std::string line = fmt::format("complete -c pipedream -n '__fish_seen_subcommand_from {}'", command);
  for (const std::string& name : option.names) {
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (!option.values.empty()) {
    line += fmt::format(" -x -a '{}'", fmt::join(option.values, " "));
  } else if (option.takes_value && !option.names.empty()) {
    line += " -r";
  }
  return line + " -d " + fish_quoted(option.description) + "\n";
}

std::string fish_script(const Commands& commands) {
  std::string text = "# Completion of pipedream for fish: pipedream completion fish | source\n";
  for (std::size_t c = 1; c < commands.size(); ++c) {
    text += fmt::format("complete -c pipedream -n __fish_use_subcommand -f -a {} -d {}\n", commands[c].name,
                        fish_quoted(commands[c].description));
    for (const CompletedOption& option : commands[c].options) {
      if (!option.names.empty() || !option.values.empty()) text += fish_option(commands[c].name, option);
    }
  }
  return text;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
  const Commands commands = detail::completed_commands(app);
  if (shell == "bash") return bash_script(commands);
  if (shell == "zsh") return zsh_script(commands);
  if (shell == "fish") return fish_script(commands);
  throw ConfigError(fmt::format("no completion for the shell \"{}\" (known: bash, zsh, fish)", shell));
}

}  // namespace pipedream
