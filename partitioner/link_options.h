// The options of the command that say which workers and links a plan is for.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "pipedream/profile.h"
#include "pipedream/topology.h"

namespace pipedream {

class LinkOptions {
 public:
  void add_to(CLI::App& command);

  // One level of that many workers, with the links of the options, else those that the profile measured. Throws
  // ConfigError where neither says.
  Topology topology(const Profile& profile, int workers) const;
  // "1.25 GB/s, 10 us (measured)".
  std::string describe(const Topology& topology) const;

 private:
  std::string bandwidth_;
  std::string latency_;
};

// --optimizer: bytes of state per byte of parameters.
class OptimizerOption {
 public:
  void add_to(CLI::App& command);
  double state_factor() const;

 private:
  std::string name_ = "momentum";
};

}  // namespace pipedream
