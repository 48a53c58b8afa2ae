// How far training has come, for people: a bar that is redrawn in place on a terminal, else a line every few seconds.
// (Debian has no C++ library for this.)
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "pipedream/trainer.h"

namespace pipedream::detail {

// Does what this process prints end on a terminal? Under a launcher the answer is the launcher's own, because mpirun
// gives its ranks a pseudo-terminal even when it writes to a file itself.
bool output_is_terminal(bool launched);

std::string progress_bar(const TrainProgress& progress, std::int64_t microbatches_per_epoch, int columns);
std::string progress_line(const TrainProgress& progress, std::int64_t microbatches_per_epoch);

// One thread.
class ProgressPrinter {
 public:
  ProgressPrinter(std::FILE* out, bool terminal, std::int64_t microbatches_per_epoch);
  // Ends the bar's line.
  ~ProgressPrinter();
  ProgressPrinter(const ProgressPrinter&) = delete;
  ProgressPrinter& operator=(const ProgressPrinter&) = delete;

  void show(const TrainProgress& progress);

 private:
  using Clock = std::chrono::steady_clock;

  void write(const std::string& text);

  std::FILE* out_;
  bool terminal_;
  std::int64_t microbatches_per_epoch_;
  bool bar_open_ = false;
  Clock::time_point last_line_;
};

}  // namespace pipedream::detail
