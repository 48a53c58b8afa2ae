#include "partitioner/command_completion.h"

#include <CLI/CLI.hpp>

#include "partitioner/command_help.h"
#include "partitioner/completion.h"

namespace pipedream {

CompletionCommand::CompletionCommand(CLI::App& app, std::ostream& out)
    : program_(app),
      command_(app.add_subcommand("completion", "Prints the completion of this command for a shell")),
      out_(out) {
  command_->add_option("SHELL", shell_, "The shell")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  add_help(*command_, {"Prints a script that completes subcommands, their options, and what options take where that is "
                       "a choice of names; everything else completes to files.",
                       {"eval \"$(pipedream completion bash)\"   # in ~/.bashrc",
                        "eval \"$(pipedream completion zsh)\"    # in ~/.zshrc, after compinit",
                        "pipedream completion fish | source    # in ~/.config/fish/config.fish"}});
}

int CompletionCommand::run() const {
  out_ << completion_script(program_, shell_);
  return 0;
}

}  // namespace pipedream
