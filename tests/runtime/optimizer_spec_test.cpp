#include <catch2/catch.hpp>

#include "pipedream/error.h"
#include "pipedream/optimizer.h"

using namespace pipedream;
using Catch::Contains;

TEST_CASE("specs carry their options", "[optimizer]") {
  const OptimizerSpec momentum = sgd({.learning_rate = 0.05, .momentum = 0.9, .nesterov = true, .weight_decay = 0.1});
  CHECK(momentum.kind == OptimizerKind::sgd);
  CHECK(momentum.settings.learning_rate == 0.05);
  CHECK(momentum.settings.momentum == 0.9);
  CHECK(momentum.settings.nesterov);
  CHECK(momentum.settings.weight_decay == 0.1);
  const OptimizerSpec decoupled = adamw({.learning_rate = 0.002, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6});
  CHECK(decoupled.kind == OptimizerKind::adamw);
  CHECK(decoupled.settings.beta1 == 0.8);
  CHECK(decoupled.settings.beta2 == 0.95);
  CHECK(decoupled.settings.epsilon == 1e-6);
  CHECK(adam().settings.learning_rate == 0.001);
  CHECK(adam().kind == OptimizerKind::adam);
}

TEST_CASE("optimizers by name", "[optimizer]") {
  for (const auto kind : {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw}) {
    CHECK(parse_optimizer(to_string(kind)) == kind);
  }
  CHECK_THROWS_WITH(parse_optimizer("rmsprop"), Contains("'rmsprop'") && Contains("sgd, adam, adamw"));
}

TEST_CASE("state per byte of parameters", "[optimizer]") {
  CHECK(state_factor(sgd()) == 0);
  CHECK(state_factor(sgd({.momentum = 0.9})) == 1);
  CHECK(state_factor(adam()) == 2);
  CHECK(state_factor(adamw()) == 2);
  OptimizerSpec grouped = sgd();
  grouped.groups.push_back({"fc*", {}, {}, 0.5});
  CHECK(state_factor(grouped) == 1);
}

TEST_CASE("settings out of range are named", "[optimizer]") {
  CHECK_THROWS_WITH(sgd({.learning_rate = -1}), Contains("sgd: learning_rate is -1"));
  CHECK_THROWS_WITH(sgd({.nesterov = true}), Contains("momentum"));
  CHECK_THROWS_WITH(adam({.beta1 = 1}), Contains("adam: beta1 is 1"));
  CHECK_THROWS_AS(adamw({.weight_decay = -0.1}), ConfigError);
}
