// One worker's share of a command: what it was asked, what it works on, whom it talks to.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "app/console.h"
#include "app/options.h"
#include "pipedream/communicator.h"
#include "pipedream/data.h"
#include "pipedream/layer_graph.h"
#include "pipedream/plan.h"
#include "pipedream/profile.h"
#include "pipedream/run.h"
#include "pipedream/state_factors.h"
#include "pipedream/topology.h"

namespace pipedream::detail {

// The application's graph and data, made once in a process, when first asked for. Any thread. Throws what the
// application's functions throw, and ConfigError for what they fail to give.
class Model {
 public:
  explicit Model(const Application& application) : application_(application) {}

  LayerGraph graph();
  std::shared_ptr<const Dataset> train();
  std::shared_ptr<const Dataset> test();
  bool has_test() const { return static_cast<bool>(application_.test); }

 private:
  std::shared_ptr<const Dataset> load(const char* which, const std::function<std::shared_ptr<const Dataset>()>& make,
                                      std::shared_ptr<const Dataset>& data);

  const Application& application_;
  std::mutex mutex_;
  std::shared_ptr<const Dataset> train_;
  std::shared_ptr<const Dataset> test_;
};

struct Session {
  const Options& options;
  Model& model;
  Communicator& comm;
  Console console;
  bool launched = false;  // under mpirun or the like
};

// The commands; collective. They return the exit code and throw like the library.
int run_profile(Session& session);
int run_train(Session& session);
int run_evaluate(Session& session);
int run_verify(Session& session);

// Collective: measures as the options say.
Profile measure(Session& session, const LayerGraph& graph, const Dataset& data);

struct ObtainedPlan {
  Plan plan;
  std::optional<Profile> profile = {};  // that its predictions come from, with the links below
  Topology topology = {};
};

// Collective: reads the plan of --plan, or profiles and plans; with predictions where there is a profile.
ObtainedPlan obtain_plan(Session& session, const LayerGraph& graph, const Dataset& data);

// Of the optimizer and the delay corrections.
StateFactors state_factors_of(const Options& options, Algorithm algorithm);

// The plan of --plan, held against graph and workers. Local.
Plan read_checked_plan(const Session& session, const LayerGraph& graph);

// Throws ConfigError, which names the option, when a file cannot be written there; an empty path passes.
void check_output(const char* option, const std::filesystem::path& path);

}  // namespace pipedream::detail
