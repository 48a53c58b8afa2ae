#include "planning/profile_graph.h"

#include <fmt/format.h>

#include <unordered_map>

#include "planning/config_error.h"

namespace pipedream::detail {
namespace {

// consumers[l]: the layers that use what layer l makes.
std::vector<std::vector<int>> successors(const Profile& profile, const std::vector<TensorEnds>& ends) {
  std::vector<std::vector<int>> result(profile.layers.size());
  for (const TensorEnds& tensor : ends) {
    auto& list = result[static_cast<std::size_t>(tensor.producer)];
    list.insert(list.end(), tensor.consumers.begin(), tensor.consumers.end());
  }
  return result;
}

// Walks forward until a layer of the current path comes again. Depth first without recursion: models have thousands of
// layers.
class CycleSearch {
 public:
  explicit CycleSearch(const std::vector<std::vector<int>>& next) : next_(next), state_(next.size(), kNew) {}

  // The layers of one cycle, first and last the same; empty: there is none.
  std::vector<int> find() {
    for (std::size_t start = 0; start < next_.size(); ++start) {
      if (state_[start] == kNew && walk(static_cast<int>(start))) return cycle_;
    }
    return {};
  }

 private:
  enum State : char { kNew, kOnPath, kDone };

  bool walk(int start) {
    std::vector<std::pair<int, std::size_t>> path{{start, 0}};
    state_[static_cast<std::size_t>(start)] = kOnPath;
    while (!path.empty()) {
      auto& [layer, position] = path.back();
      const auto& list = next_[static_cast<std::size_t>(layer)];
      if (position == list.size()) {
        state_[static_cast<std::size_t>(layer)] = kDone;
        path.pop_back();
        continue;
      }
      const int to = list[position++];
      State& state = state_[static_cast<std::size_t>(to)];
      if (state == kOnPath) return close(path, to);
      if (state == kNew) {
        state = kOnPath;
        path.emplace_back(to, 0);
      }
    }
    return false;
  }

  bool close(const std::vector<std::pair<int, std::size_t>>& path, int to) {
    std::size_t begin = path.size();
    while (path[begin - 1].first != to) --begin;
    for (std::size_t i = begin - 1; i < path.size(); ++i) cycle_.push_back(path[i].first);
    cycle_.push_back(to);
    return true;
  }

  const std::vector<std::vector<int>>& next_;
  std::vector<State> state_;
  std::vector<int> cycle_;
};

void refuse_cycle(const Profile& profile, const std::vector<TensorEnds>& ends) {
  const auto next = successors(profile, ends);
  const std::vector<int> cycle = CycleSearch(next).find();
  if (cycle.empty()) return;
  std::string names;
  for (const int layer : cycle) {
    names += (names.empty() ? "" : " -> ") + profile.layers[static_cast<std::size_t>(layer)].name;
  }
  throw_config_error("tensors: they join the layers to a cycle: {}", names);
}

void check_order(const Profile& profile, const std::vector<TensorEnds>& ends) {
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const TensorProfile& tensor = profile.tensors[i];
    if (i > 0 && ends[i].producer < ends[i - 1].producer) {
      throw_config_error("tensors[{}]: \"{}\" stands after \"{}\", whose producer \"{}\" is a later layer", i,
                         tensor.name, profile.tensors[i - 1].name, profile.tensors[i - 1].producer);
    }
    for (std::size_t c = 0; c < ends[i].consumers.size(); ++c) {
      if (ends[i].consumers[c] <= ends[i].producer) {
        throw_config_error("tensors[{}].consumers[{}]: layer \"{}\" stands before \"{}\", which makes its input \"{}\"",
                           i, c, tensor.consumers[c], tensor.producer, tensor.name);
      }
      if (c > 0 && ends[i].consumers[c] < ends[i].consumers[c - 1]) {
        throw_config_error("tensors[{}].consumers[{}]: \"{}\" and \"{}\" are not in the order of the layers", i, c,
                           tensor.consumers[c - 1], tensor.consumers[c]);
      }
    }
  }
}

void check_all_reach_the_loss(const Profile& profile, const std::vector<TensorEnds>& ends) {
  std::vector<char> reaches(profile.layers.size(), 0);
  reaches.back() = 1;
  // Tensors stand in the order of their producers, so one pass from the end sees every consumer first.
  for (std::size_t i = ends.size(); i-- > 0;) {
    for (const int consumer : ends[i].consumers) {
      if (reaches[static_cast<std::size_t>(consumer)]) reaches[static_cast<std::size_t>(ends[i].producer)] = 1;
    }
  }
  for (std::size_t l = 0; l < reaches.size(); ++l) {
    if (!reaches[l]) {
      throw_config_error("layers[{}]: nothing that \"{}\" makes reaches the loss, layer \"{}\"", l,
                         profile.layers[l].name, profile.layers.back().name);
    }
  }
}

}  // namespace

std::vector<TensorEnds> tensor_ends(const Profile& profile) {
  std::unordered_map<std::string, int> position;
  for (std::size_t i = 0; i < profile.layers.size(); ++i) position[profile.layers[i].name] = static_cast<int>(i);
  std::vector<TensorEnds> result(profile.tensors.size());
  for (std::size_t i = 0; i < result.size(); ++i) {
    const TensorProfile& tensor = profile.tensors[i];
    const auto producer = position.find(tensor.producer);
    if (producer == position.end())
      throw_config_error("tensors[{}].producer: there is no layer \"{}\"", i, tensor.producer);
    result[i].producer = producer->second;
    for (std::size_t c = 0; c < tensor.consumers.size(); ++c) {
      const auto consumer = position.find(tensor.consumers[c]);
      if (consumer == position.end()) {
        throw_config_error("tensors[{}].consumers[{}]: there is no layer \"{}\"", i, c, tensor.consumers[c]);
      }
      result[i].consumers.push_back(consumer->second);
    }
  }
  return result;
}

void validate_graph(const Profile& profile) {
  const std::vector<TensorEnds> ends = tensor_ends(profile);
  refuse_cycle(profile, ends);
  check_order(profile, ends);
  check_all_reach_the_loss(profile, ends);
}

}  // namespace pipedream::detail
