#include <catch2/catch.hpp>

#include "pipedream/error.h"
#include "pipedream/optimizer.h"

using namespace pipedream;

TEST_CASE("the learning rate rises over the warm-up and falls to its end") {
  const LearningRateSchedule linear{
      .shape = RateShape::linear, .warmup_microbatches = 4, .total_microbatches = 14, .end_factor = 0.5};
  CHECK(linear.factor(0) == 0.25);
  CHECK(linear.factor(3) == 1);
  CHECK(linear.factor(4) == 1);
  CHECK(linear.factor(9) == Approx(0.75));
  CHECK(linear.factor(14) == 0.5);
  CHECK(linear.factor(1000) == 0.5);
  const LearningRateSchedule cosine{.shape = RateShape::cosine, .total_microbatches = 100};
  CHECK(cosine.factor(0) == 1);
  CHECK(cosine.factor(50) == Approx(0.5));
  CHECK(cosine.factor(25) == Approx(0.8535533906));
  CHECK(cosine.factor(100) == Approx(0).margin(1e-15));
  const LearningRateSchedule step{.shape = RateShape::step, .step_microbatches = 10, .step_factor = 0.5};
  CHECK(step.factor(9) == 1);
  CHECK(step.factor(10) == 0.5);
  CHECK(step.factor(29) == 0.25);
  CHECK(LearningRateSchedule{}.factor(7) == 1);
}

TEST_CASE("schedules out of range are refused by field") {
  CHECK_THROWS_WITH(validate(LearningRateSchedule{.warmup_microbatches = -1}),
                    Catch::Contains("warmup_microbatches is -1"));
  CHECK_THROWS_WITH(
      validate(LearningRateSchedule{.shape = RateShape::cosine, .warmup_microbatches = 5, .total_microbatches = 5}),
      Catch::Contains("total_microbatches is 5; it must be more than the 5"));
  CHECK_THROWS_WITH(validate(LearningRateSchedule{.shape = RateShape::step}),
                    Catch::Contains("step_microbatches is 0"));
  CHECK_THROWS_WITH(
      validate(LearningRateSchedule{.shape = RateShape::linear, .total_microbatches = 9, .end_factor = 2}),
      Catch::Contains("end_factor is 2"));
}
