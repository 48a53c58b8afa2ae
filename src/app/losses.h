// What is known of every microbatch, as CSV files.
#pragma once

#include <filesystem>

#include "pipedream/data.h"
#include "pipedream/trainer.h"

namespace pipedream::detail {

// Columns microbatch (its index k in the run), epoch, samples, loss; one line each, losses with as many digits as tell
// them apart. Throws ConfigError when the file cannot be written.
void write_losses(const std::filesystem::path& path, const TrainResult& result, std::int64_t rows,
                  std::int64_t microbatch_size);

// Columns microbatch, stage, version, newest, delay (newest - version) and distance, empty where it is not known; one
// line for each microbatch and stage. Throws as above.
void write_staleness(const std::filesystem::path& path, const TrainResult& result);

}  // namespace pipedream::detail
