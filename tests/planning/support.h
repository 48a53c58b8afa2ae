// What the tests of the planning part share: small profiles, and the text of an expected error.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <string>

#include "pipedream/error.h"
#include "pipedream/profile.h"

namespace pipedream::testing {

// a -> b -> c -> loss, each tensor with `bytes`.
inline Profile chain_profile(int layers = 4, std::int64_t bytes = 100) {
  Profile profile;
  profile.graph_hash = "0123456789abcdef";
  profile.device = "test";
  profile.microbatch_size = 8;
  for (int i = 0; i < layers; ++i) {
    LayerProfile layer;
    layer.name = i + 1 == layers ? "loss" : "layer" + std::to_string(i);
    layer.forward_us = 10 + i;
    layer.backward_us = 20 + 2 * i;
    layer.parameter_bytes = std::int64_t{1000} * (i + 1);
    layer.kept_bytes = 10;
    layer.keeps_input = i % 2 == 0;
    if (i > 0) {
      const std::string producer = profile.layers.back().name;
      profile.tensors.push_back({producer + ".out", producer, {layer.name}, bytes, true});
    }
    profile.layers.push_back(layer);
  }
  return profile;
}

// The message of the ConfigError that `action` throws; fails the test where it throws none.
inline std::string config_error(const std::function<void()>& action) {
  try {
    action();
  } catch (const ConfigError& error) {
    return error.what();
  }
  FAIL("no ConfigError was thrown");
  return {};
}

}  // namespace pipedream::testing
