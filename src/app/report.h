// What a run tells about its plan before it starts and about itself when it ends, as text.
#pragma once

#include <string>

#include "pipedream/plan.h"
#include "pipedream/profile.h"
#include "pipedream/trainer.h"
#include "pipedream/verify.h"

namespace pipedream::detail {

std::string describe_profile(const Profile& profile);

// What `pipedream show` prints, and the expected rate.
std::string describe_plan(const Plan& plan, std::int64_t microbatch_size);

std::string describe_training(const TrainResult& result);

// "test: loss 0.0412, accuracy 0.9889 (359 samples)"
std::string describe_evaluation(const EvaluationResult& result);

// Layer by layer, and which value deviates first.
std::string describe_verification(const VerifyReport& report, const Plan& plan);

}  // namespace pipedream::detail
