#include "schedule/replay_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

StageRule make_rule(const Plan& plan, int stage, const Segment& segment) {
  const StagePlan& planned = stage_plan(plan, stage);
  StageRule rule;
  rule.workers = planned.workers;
  rule.replicas = planned.replicas();
  rule.has_backward = segment.pass != Pass::forward_only;
  rule.has_update = segment.pass == Pass::train;
  if (!rule.has_backward) {
    rule.most_in_flight = std::numeric_limits<std::int64_t>::max();
  }
  if (!rule.has_update) {
    return rule;
  }
  rule.tables = version_tables(plan, stage);
  rule.updates = ceil_div(segment.microbatches, rule.tables.forward.per_update);
  const StageLoad load = stage_load(plan, stage);
  rule.most_versions = load.versions;
  rule.most_in_flight = load.in_flight;
  rule.most_reductions = planned.reduce_delay + 1;
  return rule;
}

void check_links(const Plan& plan, std::span<const StageLink> links) {
  const int stages = static_cast<int>(plan.stages.size());
  for (std::size_t i = 0; i < links.size(); ++i) {
    const StageLink& link = links[i];
    if (link.from < 0 || link.from >= link.to || link.to >= stages) {
      throw ConfigError(
          fmt::format("link {} from stage {} to stage {}: links go from an earlier to a later of {} stages", i,
                      link.from, link.to, stages));
    }
    if (std::count_if(links.begin(), links.end(),
                      [&](const StageLink& other) { return other.from == link.from && other.to == link.to; }) > 1) {
      throw ConfigError(fmt::format("the link from stage {} to stage {} is listed twice", link.from, link.to));
    }
  }
}

// Direction of a link, with the channels that it needs.
struct Direction {
  int sender_stage;
  int receiver_stage;
  int first_channel;
  std::int64_t cycle;
};

std::vector<Direction> add_channels(ReplayState& state, std::span<const StageLink> links) {
  std::vector<Direction> directions;
  const auto add = [&](int sender_stage, int receiver_stage) {
    const std::int64_t cycle = std::lcm(state.stages[static_cast<std::size_t>(sender_stage)].replicas,
                                        state.stages[static_cast<std::size_t>(receiver_stage)].replicas);
    directions.push_back({sender_stage, receiver_stage, static_cast<int>(state.channels.size()), cycle});
    for (std::int64_t k = 0; k < std::min(cycle, state.segment.microbatches); ++k) {
      Channel channel;
      channel.sender = worker_of(state.plan, sender_stage, k);
      channel.receiver = worker_of(state.plan, receiver_stage, k);
      channel.cycle = cycle;
      state.channels.push_back(channel);
    }
  };
  for (const StageLink& link : links) {
    if (on_same_worker(state.plan, link.from, link.to)) {
      continue;
    }
    add(link.from, link.to);
    if (has_gradient(link, state.segment)) {
      add(link.to, link.from);
    }
  }
  return directions;
}

void add_ports(ReplayState& state, HostedStage& own, const std::vector<std::vector<Direction>>& by_stage) {
  own.first_port = state.ports.size();
  for (const Direction& direction : by_stage[static_cast<std::size_t>(own.stage)]) {
    Port port;
    port.sender_stage = direction.sender_stage;
    port.receiver_stage = direction.receiver_stage;
    port.is_sender = direction.sender_stage == own.stage;
    port.first_channel = direction.first_channel;
    port.cycle = direction.cycle;
    port.slots = channel_slots(state.plan, direction.sender_stage, direction.receiver_stage);
    if (port.is_sender) {
      (port.carries_activations() ? own.activation_sends : own.gradient_sends) += 1;
    }
    state.ports.push_back(port);
  }
  own.end_port = state.ports.size();
}

void add_hosted(ReplayState& state, const Place& place, const std::vector<std::vector<Direction>>& by_stage) {
  const StageRule& rule = state.stages[static_cast<std::size_t>(place.stage)];
  HostedStage own;
  own.stage = place.stage;
  own.share = share_of(state.plan, state.segment, place);
  own.own = own.share.count();
  // From the oldest version that is named to the newest.
  const VersionTable& table = rule.tables.forward;
  const std::int64_t span = (table.lag + 2) * ceil_div(table.step, table.per_update);
  own.kept.assign(static_cast<std::size_t>(span + 2), -1);
  add_ports(state, own, by_stage);
  state.hosted.push_back(std::move(own));
}

void add_local_link(ReplayState& state, const StageLink& link) {
  const int id = stage_plan(state.plan, link.from).workers.front();
  WorkerState& worker = state.workers[static_cast<std::size_t>(id)];
  worker.local_links.push_back(
      {state.hosted_index(worker, link.from), state.hosted_index(worker, link.to), has_gradient(link, state.segment)});
}

// By worker.
std::vector<std::vector<Place>> all_places(const Plan& plan) {
  std::vector<std::vector<Place>> places(static_cast<std::size_t>(plan.workers()));
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const std::vector<int>& workers = plan.stages[s].workers;
    for (std::size_t q = 0; q < workers.size(); ++q) {
      places[static_cast<std::size_t>(workers[q])].push_back({static_cast<int>(s), static_cast<int>(q)});
    }
  }
  return places;
}

}  // namespace

bool StageRule::is_named_from(const Share& share, std::int64_t forwards, std::int64_t backwards,
                              std::int64_t wanted) const {
  const auto is_named = [&](const VersionTable& table, std::int64_t i) {
    const std::int64_t first = std::max(share.first_from(table.first_microbatch(wanted)), i);
    return first < share.count() && version(table, share, first) == wanted;
  };
  return is_named(tables.forward, forwards) || is_named(tables.backward, backwards);
}

ReplayState::ReplayState(const Program& checked, const Plan& planned, std::span<const StageLink> links,
                         const Segment& replayed)
    : program(checked), plan(planned), segment(replayed) {
  check_links(plan, links);
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    stages.push_back(make_rule(plan, static_cast<int>(s), segment));
  }
  std::vector<std::vector<Direction>> by_stage(stages.size());
  for (const Direction& direction : add_channels(*this, links)) {
    by_stage[static_cast<std::size_t>(direction.sender_stage)].push_back(direction);
    by_stage[static_cast<std::size_t>(direction.receiver_stage)].push_back(direction);
  }
  const std::vector<std::vector<Place>> places = all_places(plan);
  for (std::size_t w = 0; w < places.size(); ++w) {
    WorkerState& worker = workers.emplace_back(program.workers[w]);
    worker.first_hosted = hosted.size();
    worker.first_port = ports.size();
    for (const Place& place : places[w]) {
      add_hosted(*this, place, by_stage);
    }
    worker.end_hosted = hosted.size();
    worker.end_port = ports.size();
    worker.versions = worker.peak_versions = static_cast<std::int64_t>(places[w].size());
  }
  for (const StageLink& link : links) {
    if (on_same_worker(plan, link.from, link.to)) {
      add_local_link(*this, link);
    }
  }
}

Port* ReplayState::port_of(const HostedStage& stage, const Action& message) {
  for (std::size_t p = stage.first_port; p < stage.end_port; ++p) {
    if (ports[p].sender_stage == message.stage && ports[p].receiver_stage == message.peer) {
      return &ports[p];
    }
  }
  return nullptr;
}

}  // namespace pipedream::detail
