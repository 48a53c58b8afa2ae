// The pictures of schedules: tests/golden/NAME.txt, the figures of the documents, docs/pictures/NAME.svg.
//
// The first line of a golden file is a command, the rest is what the command prints. A new one starts as its first line
// alone. All of them, the figures of the documents and the drawings are written anew by
//
//   PIPEDREAM_UPDATE_GOLDEN=1 build/default/bin/partitioner_tests "[golden]"
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>

#include "call.h"
#include "pipedream/algorithm.h"
#include "planning/atomic_file.h"
#include "support/scratch_folder.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

const std::filesystem::path kGolden = PIPEDREAM_GOLDEN;
const std::filesystem::path kDocs = PIPEDREAM_DOCS;
constexpr const char* kPrompt = "$ pipedream schedule ";
constexpr const char* kHowToUpdate = "PIPEDREAM_UPDATE_GOLDEN=1 build/default/bin/partitioner_tests \"[golden]\"";

bool updates() { return std::getenv("PIPEDREAM_UPDATE_GOLDEN") != nullptr; }

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::string first_line(const std::filesystem::path& golden) {
  const std::string text = read_whole_file(golden);
  return text.substr(0, text.find('\n'));
}

std::vector<std::string> arguments_of(const std::string& command) {
  REQUIRE_THAT(command, Catch::StartsWith(kPrompt));
  std::istringstream words(command.substr(std::string("$ pipedream ").size()));
  return {std::istream_iterator<std::string>(words), {}};
}

std::string output_of(const std::vector<std::string>& arguments) {
  const Outcome outcome = call(arguments);
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  return outcome.out;
}

// The text a file should have, against the one it has; when told to, the file gets it.
void compare_or_update(const std::filesystem::path& path, const std::string& wanted) {
  const std::string found = read_whole_file(path);
  if (updates() && found != wanted) {
    write_file_atomically(path, wanted);
    WARN("written: " << path);
    return;
  }
  INFO(path << " differs; if the new one is right: " << kHowToUpdate);
  CHECK(found == wanted);
}

// By command, the command and its grid, without legend and figures.
std::map<std::string, std::string> figures() {
  std::map<std::string, std::string> result;
  for (const auto& golden : files_in(kGolden)) {
    const std::string text = read_whole_file(golden);
    result[first_line(golden)] = text.substr(0, text.find("\n\n") + 1);
  }
  return result;
}

}  // namespace

TEST_CASE("every golden file is what its command prints", "[golden]") {
  for (const auto& golden : files_in(kGolden)) {
    INFO(golden);
    const std::string command = first_line(golden);
    compare_or_update(golden, command + "\n" + output_of(arguments_of(command)));
  }
}

TEST_CASE("every algorithm has a golden file at four workers", "[golden]") {
  for (const Algorithm algorithm : all_algorithms()) {
    const std::string name(to_string(algorithm));
    const std::string command = kPrompt + ("--algorithm " + name + " --workers 4");
    const std::filesystem::path path = kGolden / (name + ".txt");
    INFO(path << " must begin with this line: " << command
              << "\nOptions may follow on it, as --microbatches N. Write it, then " << kHowToUpdate);
    CHECK((std::filesystem::exists(path) && (first_line(path) + " ").starts_with(command + " ")));
  }
}

// Tests run in order: when files are updated, the golden ones before the pages that show them.
TEST_CASE("the figures of the documents are the golden ones, all of them", "[golden]") {
  std::map<std::string, std::string> unseen = figures();
  const std::map<std::string, std::string> golden = unseen;
  for (const char* name : {"algorithms.md", "guide.md"}) {
    std::string page = read_whole_file(kDocs / name);
    for (std::size_t at = page.find(kPrompt); at != std::string::npos; at = page.find(kPrompt, at + 1)) {
      const std::string command = page.substr(at, page.find('\n', at) - at);
      INFO("no golden file has the command of this figure in " << name << ": " << command);
      REQUIRE(golden.contains(command));
      page.replace(at, page.find("```", at) - at, golden.at(command));
      unseen.erase(command);
    }
    compare_or_update(kDocs / name, page);
  }
  for (const auto& [command, figure] : unseen) FAIL_CHECK("no page has a code block that begins with: " << command);
}

TEST_CASE("the drawings of the documents are those of the golden files", "[golden]") {
  const ScratchFolder folder;
  const std::string page = read_whole_file(kDocs / "algorithms.md");
  const auto drawings = files_in(kDocs / "pictures");
  CHECK_FALSE(drawings.empty());
  for (const auto& drawing : drawings) {
    INFO(drawing);
    std::vector<std::string> arguments = arguments_of(first_line(kGolden / (drawing.stem().string() + ".txt")));
    arguments.insert(arguments.end(), {"--svg", folder / "drawing.svg"});
    output_of(arguments);
    compare_or_update(drawing, read_whole_file(folder / "drawing.svg"));
    CHECK(page.find("(pictures/" + drawing.filename().string() + ")") != std::string::npos);
  }
}
