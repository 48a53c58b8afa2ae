// Which worker may host which stage.
#pragma once

#include "pipedream/plan.h"

namespace pipedream::detail {

// Workers 0..W-1, each in one stage; of several only under algorithms that share workers, there in turn: stage s on
// that of stage s mod W, as many on each. Throws ConfigError with stage and field. The plan has a stage.
void check_workers(const Plan& plan);

}  // namespace pipedream::detail
