// Whole files, in and out.
//
// A file that this library writes is either the old one or the new one, whenever the machine stops: the bytes go to a
// temporary name in the same folder, are synced, and take the name in one step.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace pipedream {

// A file that is written in pieces; destroyed before commit(), it leaves nothing behind. Errors as below.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  // Gives the file its name. Last call.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;  // empty once it is gone
  int descriptor_ = -1;
};

// Replaces or makes the file. Throws ConfigError with the path and the system's reason; the old file is then intact and
// the temporary one gone.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

// Throws ConfigError with the path and the system's reason.
std::string read_whole_file(const std::filesystem::path& path);

}  // namespace pipedream
