#include "app/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "pipedream/error.h"

namespace pipedream::detail {

LayerGraph Model::graph() {
  const std::lock_guard lock(mutex_);
  if (!application_.graph) throw ConfigError(fmt::format("{}: the application gives no graph", application_.name));
  LayerGraph graph = application_.graph();
  graph.check();
  return graph;
}

std::shared_ptr<const Dataset> Model::train() { return load("training", application_.train, train_); }

std::shared_ptr<const Dataset> Model::test() { return load("test", application_.test, test_); }

std::shared_ptr<const Dataset> Model::load(const char* which,
                                           const std::function<std::shared_ptr<const Dataset>()>& make,
                                           std::shared_ptr<const Dataset>& data) {
  const std::lock_guard lock(mutex_);
  if (data) return data;
  if (make) data = make();
  if (!data) throw ConfigError(fmt::format("{}: the application gives no {} data", application_.name, which));
  if (data->size() <= 0) throw ConfigError(fmt::format("{}: the {} data has no rows", application_.name, which));
  return data;
}

void check_output(const char* option, const std::filesystem::path& path) {
  if (path.empty()) return;
  const auto fail = [&](const std::string& what) {
    throw ConfigError(fmt::format("{} {}: {}", option, path.string(), what));
  };
  std::error_code error;
  if (path.filename().empty() || std::filesystem::is_directory(path, error)) fail("is a folder, not a file");
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  if (!std::filesystem::is_directory(folder, error)) fail(fmt::format("there is no folder {}", folder.string()));
  if (access(folder.c_str(), W_OK) != 0) fail(fmt::format("the folder {} cannot be written", folder.string()));
}

}  // namespace pipedream::detail
