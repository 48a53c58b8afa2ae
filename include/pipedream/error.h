// The exceptions of the library and the exit codes of the programs built on it.
//
// ConfigError: the caller's mistake (bad plan, file, option, model); it is thrown before any work starts.
// CommunicationError: the world's (a dead peer, a deadline, an abort); it is thrown on every rank.
// A message names the values that disagree and where they came from: file and field, or worker and action.
#pragma once

#include <stdexcept>
#include <string>

namespace pipedream {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class ConfigError : public Error {
 public:
  using Error::Error;
};

class CommunicationError : public Error {
 public:
  using Error::Error;
};

// Exit codes of programs; 0 is success.
inline constexpr int kExitCheckFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitFailure = 3;

}  // namespace pipedream
