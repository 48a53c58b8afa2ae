// A program small enough to train in milliseconds, whose data can be made to fail on one rank:
//
//   TINY_FAULT=config@1   making the training data throws a ConfigError on rank 1
//   TINY_FAULT=throw@1    the 20th fetch of training data there throws something else
//   TINY_FAULT=stop@1     the 20th fetch of training data there raises SIGTERM
#pragma once

#include "pipedream/run.h"

namespace pipedream::testing {

inline constexpr std::int64_t kTinyTrainRows = 50;
inline constexpr std::int64_t kTinyTestRows = 17;

Application tiny_app();

// The same with layers of other names: its plans and profiles do not fit.
Application other_app();

}  // namespace pipedream::testing
