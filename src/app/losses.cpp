#include "app/losses.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>

#include "planning/atomic_file.h"

namespace pipedream::detail {

void write_losses(const std::filesystem::path& path, const TrainResult& result, std::int64_t rows,
                  std::int64_t microbatch_size) {
  const std::int64_t per_epoch = (rows + microbatch_size - 1) / microbatch_size;
  std::string text = "microbatch,epoch,samples,loss\n";
  std::int64_t k = result.first_microbatch;
  for (const float loss : result.losses) {
    const std::int64_t samples = std::min(microbatch_size, rows - k % per_epoch * microbatch_size);
    fmt::format_to(std::back_inserter(text), "{},{},{},{}\n", k, k / per_epoch, samples, loss);
    ++k;
  }
  write_file_atomically(path, text);
}

void write_staleness(const std::filesystem::path& path, const TrainResult& result) {
  std::string text = "microbatch,stage,version,newest,delay,distance\n";
  for (const StalenessRecord& r : result.staleness) {
    fmt::format_to(std::back_inserter(text), "{},{},{},{},{},{}\n", r.microbatch, r.stage, r.version, r.newest,
                   r.newest - r.version, std::isnan(r.distance) ? "" : fmt::format("{:.9g}", r.distance));
  }
  write_file_atomically(path, text);
}

}  // namespace pipedream::detail
