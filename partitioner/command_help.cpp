#include "partitioner/command_help.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <sstream>

namespace pipedream {
namespace {

constexpr std::size_t kColumns = 100;
constexpr std::size_t kNameColumns = 30;

constexpr const char* kExitCodes = R"(Exit codes:
  0  success
  1  a failed check
  2  a mistake in usage or input
  3  a failure while running)";

// The words of a paragraph in lines that start with so many blanks, the first one without them.
std::string wrapped(const std::string& paragraph, std::size_t indent) {
  std::istringstream words(paragraph);
  std::string text;
  std::string word;
  std::size_t column = indent;
  while (words >> word) {
    if (column > indent && column + 1 + word.size() > kColumns) {
      text += "\n" + std::string(indent, ' ');
      column = indent;
    }
    if (column > indent) {
      text += ' ';
      ++column;
    }
    text += word;
    column += word.size();
  }
  return text;
}

std::string wrapped_paragraphs(const std::string& paragraphs) {
  std::string text;
  for (std::size_t begin = 0; begin < paragraphs.size();) {
    const std::size_t end = std::min(paragraphs.find("\n\n", begin), paragraphs.size());
    text += "\n" + wrapped(paragraphs.substr(begin, end - begin), 0) + "\n";
    begin = end + 2;
  }
  return text;
}

class Manual : public CLI::Formatter {
 public:
  explicit Manual(const std::string& description) : description_(wrapped_paragraphs(description)) {}

  std::string make_usage(const CLI::App* app, std::string name) const override {
    return "\n" + CLI::Formatter::make_usage(app, std::move(name)) + description_;
  }

  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    return entry(make_option_name(option, is_positional) + make_option_opts(option), make_option_desc(option));
  }

  std::string make_subcommand(const CLI::App* command) const override {
    return entry(command->get_name(), command->get_description());
  }

 private:
  static std::string entry(const std::string& name, const std::string& meaning) {
    std::string text = "  " + name;
    if (text.size() > kColumns) text = "  " + wrapped(name, 4);
    text += text.size() + 2 > kNameColumns ? "\n" + std::string(kNameColumns, ' ')
                                           : std::string(kNameColumns - text.size(), ' ');
    return text + wrapped(meaning, kNameColumns) + "\n";
  }

  std::string description_;
};

}  // namespace

void add_help(CLI::App& command, const CommandHelp& help) {
  command.formatter(std::make_shared<Manual>(help.description));
  std::string footer = help.examples.empty() ? "" : "Examples:\n";
  for (const std::string& example : help.examples) footer += fmt::format("  {}\n", example);
  command.footer(footer + "\n" + kExitCodes);
}

}  // namespace pipedream
