// Delay corrections and segments as words on the command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipedream/delay_correction.h"
#include "pipedream/trainer.h"

namespace pipedream::detail {

// "none", or some of t1, t2 and spectrain with commas between them, each once; the settings are those of t1 and t2.
// Throws ConfigError that lists the names.
CorrectionChoice parse_corrections(const std::string& text, std::int64_t annealing_microbatches, double decay);

// ALGORITHM:EPOCHS with commas between them; the last may leave its epochs out. Throws ConfigError.
std::vector<TrainSegment> parse_segments(const std::string& text);

// Stages of "all", "none", or numbers with commas between them. Throws ConfigError.
struct StageChoice {
  bool all = false;
  std::vector<int> stages = {};
};
StageChoice parse_stages(const std::string& text);

}  // namespace pipedream::detail
