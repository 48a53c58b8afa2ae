#include "dapple_oracle.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace pipedream::testing {
namespace {

using detail::DappleStage;

// Free workers, those wanted first in front.
std::vector<int> in_order_of_servers(const std::vector<bool>& in_use, int each, bool fresh_first) {
  std::vector<int> order;
  const auto is_fresh = [&](int worker) {
    const auto server = in_use.begin() + worker / each * each;
    return std::find(server, server + each, true) == server + each;
  };
  for (const bool fresh : {fresh_first, !fresh_first}) {
    for (int w = 0; w < static_cast<int>(in_use.size()); ++w) {
      if (!in_use[static_cast<std::size_t>(w)] && is_fresh(w) == fresh) order.push_back(w);
    }
  }
  return order;
}

// The free workers of each server numbered from 0: first all numbers 0, then all numbers 1, ...; those of servers in
// use before the others.
std::vector<int> in_turns(const std::vector<bool>& in_use, int each) {
  std::vector<std::pair<int, int>> numbered;
  std::map<int, int> of_server;
  for (const int w : in_order_of_servers(in_use, each, false)) {
    const auto server = in_use.begin() + w / each * each;
    const bool fresh = std::find(server, server + each, true) == server + each;
    numbered.emplace_back((fresh ? 1'000 : 0) + of_server[w / each]++, w);
  }
  std::sort(numbered.begin(), numbered.end());
  std::vector<int> order;
  for (const auto& [number, w] : numbered) order.push_back(w);
  return order;
}

// Servers take turns.
std::vector<int> as_replicas(std::vector<int> workers, int each) {
  std::sort(workers.begin(), workers.end());
  std::vector<std::pair<int, int>> numbered;
  std::map<int, int> of_server;
  for (const int w : workers) numbered.emplace_back(of_server[w / each]++, w);
  std::sort(numbered.begin(), numbered.end());
  for (std::size_t q = 0; q < workers.size(); ++q) workers[q] = numbered[q].second;
  return workers;
}

}  // namespace

double dapple_formulas_us(const std::vector<DappleStage>& stages, std::int64_t microbatches) {
  const double rounds = static_cast<double>(microbatches) - 1;
  const auto both = [&](int s) {
    const DappleStage& stage = stages[static_cast<std::size_t>(s)];
    return stage.forward_us + stage.backward_us;
  };
  const int count = static_cast<int>(stages.size());
  int pivot = count - 1;
  for (int s = count - 2; s >= 0; --s) {
    double between = 0;
    for (int a = s + 1; a < pivot; ++a) between += both(a);
    const double least = rounds * both(pivot) + between;
    if (rounds * both(s) - least > 1e-9 * least) pivot = s;  // not by rounding alone
  }
  double warm_up = 0;
  for (int s = 0; s <= pivot; ++s) warm_up += stages[static_cast<std::size_t>(s)].forward_us;
  double end = 0;
  for (int s = 0; s < count; ++s) {
    double backward = 0;
    for (int a = std::min(s, pivot); a <= std::max(s, pivot); ++a) {
      backward += stages[static_cast<std::size_t>(a)].backward_us;
    }
    end = std::max(end, stages[static_cast<std::size_t>(s)].allreduce_us + (s <= pivot ? backward : -backward));
  }
  return warm_up + rounds * both(pivot) + end;
}

std::vector<OracleDevices> devices_by_policies(const Topology& topology, const std::vector<bool>& in_use, int need) {
  const int each = topology.levels.front().count;
  std::vector<OracleDevices> found;
  std::set<std::vector<int>> seen;
  for (std::vector<int> order :
       {in_order_of_servers(in_use, each, false), in_order_of_servers(in_use, each, true), in_turns(in_use, each)}) {
    order.resize(static_cast<std::size_t>(need));
    const std::vector<int> workers = as_replicas(order, each);
    if (seen.insert(workers).second) found.push_back({workers, found.empty()});
  }
  return found;
}

DappleOracle::DappleOracle(const Profile& profile, const Topology& topology, const PartitionOptions& options)
    : profile_(profile),
      topology_(topology),
      options_(options),
      cuts_(downward_closed(profile)),
      crossing_(crossing_bytes(profile)) {}

std::vector<double> DappleOracle::all() {
  std::vector<Placed> stages;
  std::vector<bool> in_use(static_cast<std::size_t>(topology_.workers()), false);
  extend(stages, in_use, true);
  std::sort(found_.begin(), found_.end());
  return found_;
}

void DappleOracle::extend(std::vector<Placed>& stages, std::vector<bool>& in_use, bool append_first) {
  const Layers before = stages.empty() ? 0 : stages.back().until;
  const auto used = static_cast<int>(std::count(in_use.begin(), in_use.end(), true));
  if (before == (Layers{1} << profile_.layers.size()) - 1) {
    if (!options_.use_all_workers || used == topology_.workers()) finish(stages, append_first);
    return;
  }
  const int left = topology_.workers() - used;
  for (int replicas = 1; replicas <= (options_.straight ? std::min(left, 1) : left); ++replicas) {
    for (const OracleDevices& devices : devices_by_policies(topology_, in_use, replicas)) {
      for (const int w : devices.workers) in_use[static_cast<std::size_t>(w)] = true;
      for (const Layers end : cuts_) {
        if (end == before || (before & ~end) != 0) continue;
        stages.push_back({before, end, devices.workers});
        extend(stages, in_use, append_first && devices.is_append_first);
        stages.pop_back();
      }
      for (const int w : devices.workers) in_use[static_cast<std::size_t>(w)] = false;
    }
  }
}

void DappleOracle::finish(const std::vector<Placed>& stages, bool append_first) {
  if (!fits(stages)) return;
  std::vector<DappleStage> all;
  std::int64_t used = 0;
  for (std::size_t s = 0; s < stages.size(); ++s) {
    all.push_back(compute(stages[s]));
    if (s + 1 < stages.size()) all.push_back(transfer(stages[s], stages[s + 1]));
    used += static_cast<std::int64_t>(stages[s].workers.size());
  }
  const std::int64_t chosen = options_.microbatches_per_update;
  const std::int64_t update = chosen > 0 ? chosen : 4 * used;
  const double us = dapple_formulas_us(all, update) / static_cast<double>(update);
  found_.push_back(us);
  if (append_first) least_append_first_us_ = std::min(least_append_first_us_, us);
  for (DappleStage& stage : all) stage.allreduce_us = 0;
  const double unreduced_us = dapple_formulas_us(all, update) / static_cast<double>(update);
  least_unreduced_us_ = std::min(least_unreduced_us_, unreduced_us);
}

bool DappleOracle::fits(const std::vector<Placed>& stages) {
  if (topology_.memory_bytes_per_worker == 0) return true;
  std::vector<OracleStage> all;
  std::int64_t used = 0;
  for (const Placed& stage : stages) {
    all.push_back({stage.before, stage.until, static_cast<int>(stage.workers.size())});
    used += static_cast<std::int64_t>(stage.workers.size());
  }
  PartitionOptions options = options_;
  if (options.microbatches_per_update == 0) options.microbatches_per_update = 4 * used;
  const std::vector<int> depth = least_depths(all);
  for (std::size_t s = 0; s < all.size(); ++s) {
    const Layers layers = all[s].until & ~all[s].before;
    const OracleLoad load = load_of_stage(options, all, depth, s);
    auto [place, is_new] = stage_bytes_.try_emplace(
        {layers, load.versions, load.in_flight, load.gradient_copies, load.one_is_gone ? 1 : 0}, 0);
    if (is_new) place->second = stage_bytes(profile_, layers, load, options_.state_factors.optimizer);
    if (place->second > topology_.memory_bytes_per_worker) return false;
  }
  return true;
}

DappleStage DappleOracle::compute(const Placed& stage) const {
  const auto r = static_cast<double>(stage.workers.size());
  DappleStage result;
  double weights = 0;
  for (std::size_t l = 0; l < profile_.layers.size(); ++l) {
    if (!has(stage.until & ~stage.before, static_cast<int>(l))) continue;
    result.forward_us += profile_.layers[l].forward_us / r;
    result.backward_us += profile_.layers[l].backward_us / r;
    weights += static_cast<double>(profile_.layers[l].parameter_bytes);
  }
  if (weights == 0) return result;
  for (const int worker : stage.workers) {
    for (const int other : stage.workers) {
      if (worker == other) continue;
      const TopologyLevel& level = topology_.levels[meeting_level(worker, other)];
      const double us = level.allreduce_bytes_per_s > 0
                            ? 2.0 * (r - 1) * weights / (r * (level.allreduce_bytes_per_s / 1e6))
                            : 2.0 * (r - 1) * (weights / (level.bandwidth_bytes_per_s / 1e6) + level.latency_us);
      result.allreduce_us = std::max(result.allreduce_us, us);
    }
  }
  return result;
}

// Every microbatch from the worker that has it to the one that gets it.
DappleStage DappleOracle::transfer(const Placed& from, const Placed& to) const {
  const double lanes = static_cast<double>(std::min(from.workers.size(), to.workers.size()));
  const CrossingBytes& bytes = crossing_[from.until];
  DappleStage result;
  for (std::size_t k = 0; k < std::lcm(from.workers.size(), to.workers.size()); ++k) {
    const int sender = from.workers[k % from.workers.size()];
    const TopologyLevel& level = topology_.levels[meeting_level(sender, to.workers[k % to.workers.size()])];
    const auto us = [&](double of) {
      return of > 0 ? (of / (level.bandwidth_bytes_per_s / 1e6) + level.latency_us) / lanes : 0;
    };
    result.forward_us = std::max(result.forward_us, us(bytes.forward));
    result.backward_us = std::max(result.backward_us, us(bytes.backward));
  }
  return result;
}

std::size_t DappleOracle::meeting_level(int worker, int other) const {
  const int each = topology_.levels.front().count;
  return worker / each == other / each ? 0 : 1;
}

}  // namespace pipedream::testing
