#include "planning/atomic_file.h"

#include <sys/stat.h>

#include <fstream>

#include "support.h"
#include "support/scratch_folder.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;

namespace {

std::size_t files_in(const std::filesystem::path& folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("a file comes back as it was written, and nothing else is left") {
  const ScratchFolder folder;
  std::string bytes(200'000, 'x');
  bytes[7] = '\0';
  bytes[8] = '\n';
  write_file_atomically(folder / "a.bin", bytes);
  CHECK(read_whole_file(folder / "a.bin") == bytes);
  write_file_atomically(folder / "a.bin", "short");
  CHECK(read_whole_file(folder / "a.bin") == "short");
  write_file_atomically(folder / "a.bin", "");
  CHECK(read_whole_file(folder / "a.bin").empty());
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("a path without a folder is written in the current one") {
  const ScratchFolder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  write_file_atomically("plain.txt", "here");
  std::filesystem::current_path(before);
  CHECK(read_whole_file(folder / "plain.txt") == "here");
}

TEST_CASE("a write that fails names path and reason, keeps the old file and removes the temporary one") {
  const ScratchFolder folder;
  const auto missing = folder / "missing/a.json";
  CHECK_THAT(config_error([&] { write_file_atomically(missing, "x"); }),
             Contains(missing) && Contains("No such file or directory"));
  // A folder of that name stands in the way of the rename.
  std::filesystem::create_directory(folder / "taken");
  write_file_atomically(folder / "taken/inside", "x");
  CHECK_THAT(config_error([&] { write_file_atomically(folder / "taken", "x"); }), Contains("taken"));
  CHECK(read_whole_file(folder / "taken/inside") == "x");
  CHECK(files_in(folder.path()) == 1);
  CHECK_THAT(config_error([&] { write_file_atomically(folder.path() / "", "x"); }), Contains("cannot write"));
}

TEST_CASE("the old bytes stay readable by who has the file open") {
  const ScratchFolder folder;
  write_file_atomically(folder / "a", "old");
  std::ifstream reader(folder / "a");
  write_file_atomically(folder / "a", "newer");
  std::string text;
  reader >> text;
  CHECK(text == "old");
  CHECK(read_whole_file(folder / "a") == "newer");
}

TEST_CASE("reading names path and reason") {
  const ScratchFolder folder;
  CHECK_THAT(config_error([&] { read_whole_file(folder / "none"); }),
             Contains("none: cannot read: No such file or directory"));
  CHECK_THAT(config_error([&] { read_whole_file(folder.path()); }), Contains("Is a directory"));
}

TEST_CASE("a file in pieces is there after commit, and without it nothing is left") {
  const ScratchFolder folder;
  write_file_atomically(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.write("half of ");
    CHECK(read_whole_file(folder / "a") == "old");
  }
  CHECK(files_in(folder.path()) == 1);
  AtomicFile file(folder / "a");
  file.write("one, ");
  file.write("two");
  file.commit();
  CHECK(read_whole_file(folder / "a") == "one, two");
  CHECK(files_in(folder.path()) == 1);
}
