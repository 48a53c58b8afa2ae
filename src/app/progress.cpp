#include "app/progress.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "app/console.h"

namespace pipedream::detail {
namespace {

constexpr std::chrono::seconds kLineEvery{5};
constexpr int kDefaultColumns = 80;
constexpr int kLeastBarCells = 4;
constexpr int kMostBarCells = 24;

int terminal_columns(std::FILE* out) {
  struct winsize size {};
  if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefaultColumns;
  return size.ws_col;
}

double share_done(const TrainProgress& progress) {
  if (progress.total <= 0) return 1;
  return std::clamp(static_cast<double>(progress.microbatches) / static_cast<double>(progress.total), 0.0, 1.0);
}

std::string epoch_text(std::int64_t microbatches, std::int64_t total, std::int64_t per_epoch) {
  const auto epochs_begun = [&](std::int64_t count) {
    return std::max<std::int64_t>(1, (count + per_epoch - 1) / per_epoch);
  };
  return fmt::format("epoch {}/{}", epochs_begun(microbatches), epochs_begun(total));
}

std::string figures(const TrainProgress& progress) {
  return fmt::format("loss {:.4f}  {} samples/s  {} left", progress.loss, format_count(progress.samples_per_second),
                     format_duration(progress.seconds_left));
}

}  // namespace

bool output_is_terminal(bool launched) {
  if (isatty(STDOUT_FILENO) == 0) return false;
  if (!launched) return true;
  const int launcher = open(fmt::format("/proc/{}/fd/1", getppid()).c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
  if (launcher < 0) return false;
  const bool terminal = isatty(launcher) != 0;
  close(launcher);
  return terminal;
}

std::string progress_bar(const TrainProgress& progress, std::int64_t microbatches_per_epoch, int columns) {
  const double share = share_done(progress);
  const std::string text =
      fmt::format(" {:3.0f}%  {}  {}", share * 100,
                  epoch_text(progress.microbatches, progress.total, microbatches_per_epoch), figures(progress));
  // A line that wraps could not be drawn over.
  const int width = std::max(1, columns - 1);
  const int cells = std::clamp(width - static_cast<int>(text.size()) - 2, kLeastBarCells, kMostBarCells);
  const int filled = static_cast<int>(share * cells);
  const std::string bar(static_cast<std::size_t>(filled), '#');
  const std::string rest(static_cast<std::size_t>(cells - filled), '.');
  return fmt::format("[{}{}]{}", bar, rest, text).substr(0, static_cast<std::size_t>(width));
}

std::string progress_line(const TrainProgress& progress, std::int64_t microbatches_per_epoch) {
  return fmt::format("microbatch {}/{}  {}  {}", progress.microbatches, progress.total,
                     epoch_text(progress.microbatches, progress.total, microbatches_per_epoch), figures(progress));
}

ProgressPrinter::ProgressPrinter(std::FILE* out, bool terminal, std::int64_t microbatches_per_epoch)
    : out_(out), terminal_(terminal), microbatches_per_epoch_(microbatches_per_epoch), last_line_(Clock::now()) {}

ProgressPrinter::~ProgressPrinter() {
  if (bar_open_) write("\n");
}

void ProgressPrinter::show(const TrainProgress& progress) {
  if (terminal_) {
    write("\r\033[K" + progress_bar(progress, microbatches_per_epoch_, terminal_columns(out_)));
    bar_open_ = true;
    return;
  }
  const auto now = Clock::now();
  if (now - last_line_ < kLineEvery) return;
  last_line_ = now;
  write(progress_line(progress, microbatches_per_epoch_) + "\n");
}

void ProgressPrinter::write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
}

}  // namespace pipedream::detail
