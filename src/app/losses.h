// The loss of every microbatch as a CSV file.
#pragma once

#include <filesystem>

#include "pipedream/data.h"
#include "pipedream/trainer.h"

namespace pipedream::detail {

// Columns microbatch (its index k in the run), epoch, samples, loss; one line each, losses with as many digits as tell
// them apart. Throws ConfigError when the file cannot be written.
void write_losses(const std::filesystem::path& path, const TrainResult& result, std::int64_t rows,
                  std::int64_t microbatch_size);

}  // namespace pipedream::detail
