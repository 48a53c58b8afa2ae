// `pipedream show PLAN`: a plan as a table, optionally predicted anew from a profile.
#pragma once

#include <CLI/App.hpp>
#include <ostream>
#include <string>

#include "partitioner/link_options.h"

namespace pipedream {

class ShowCommand {
 public:
  ShowCommand(CLI::App& app, std::ostream& out);
  ShowCommand(const ShowCommand&) = delete;
  ShowCommand& operator=(const ShowCommand&) = delete;

  int run() const;

 private:
  std::ostream& out_;
  LinkOptions links_;
  OptimizerOption optimizer_;
  std::string plan_;
  std::string profile_;
  bool json_ = false;
};

}  // namespace pipedream
