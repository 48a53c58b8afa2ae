#include "simulated/clocks.h"

#include <fmt/format.h>

#include <algorithm>

namespace pipedream::testing {

namespace {

bool overlap(const Span& one, const Span& other) { return one.begin < other.end && other.begin < one.end; }
bool covers(const Span& outer, const Span& inner) { return outer.begin <= inner.begin && inner.end <= outer.end; }

std::string name(const StreamKey& stream) { return fmt::format("stream {} of device {}", stream.second, stream.first); }

}  // namespace

StreamKey key_of(const c10::Stream& stream) { return {stream.device_index(), stream.id()}; }

bool Clocks::comes_after(const VectorClock& clock, const Access& access) {
  const auto found = clock.find(access.stream);
  return found != clock.end() && found->second >= access.time;
}

std::string Clocks::race(const StreamKey& stream, const std::string& what, const std::vector<Access>& earlier,
                         const VectorClock& clock, const Span& span) {
  for (const Access& access : earlier) {
    if (!overlap(access.span, span) || comes_after(clock, access)) continue;
    return fmt::format("{} on {} does not come after {} on {}", what, name(stream), access.what, name(access.stream));
  }
  return {};
}

std::string Clocks::access(const c10::Stream& stream, const std::string& what, const std::vector<Span>& reads,
                           const std::vector<Span>& writes, bool awaited) {
  const std::lock_guard lock(mutex_);
  const StreamKey key = key_of(stream);
  VectorClock& clock = streams_[key];
  const std::int64_t time = ++clock[key];
  for (const Span& span : reads) {
    Memory& memory = memory_[span.memory];
    const std::string found = race(key, what, memory.writes, clock, span);
    if (!found.empty()) return found;
    if (awaited) continue;
    std::erase_if(memory.reads, [&](const Access& read) { return read.stream == key && covers(span, read.span); });
    memory.reads.push_back({key, time, what, span});
  }
  for (const Span& span : writes) {
    Memory& memory = memory_[span.memory];
    for (std::vector<Access>* earlier : {&memory.writes, &memory.reads}) {
      const std::string found = race(key, what, *earlier, clock, span);
      if (!found.empty()) return found;
      std::erase_if(*earlier, [&](const Access& access) { return covers(span, access.span); });
    }
    memory.writes.push_back({key, time, what, span});
  }
  return {};
}

// Addresses come back: what was known of the memory there before is forgotten.
void Clocks::made(const void* memory, const c10::Stream& stream) {
  const std::lock_guard lock(mutex_);
  memory_[memory] = {.maker = key_of(stream), .writes = {}, .reads = {}, .used_by = {}, .to_come = {}};
}

void Clocks::used_by(const void* memory, const c10::Stream& stream) {
  const std::lock_guard lock(mutex_);
  memory_[memory].used_by.insert(key_of(stream));
}

void Clocks::will_use(const void* memory, const std::string& what) {
  const std::lock_guard lock(mutex_);
  memory_[memory].to_come.push_back(what);
}

void Clocks::has_used(const void* memory) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string>& to_come = memory_[memory].to_come;
  if (!to_come.empty()) to_come.erase(to_come.begin());
}

std::string Clocks::freed(const void* address) {
  const std::lock_guard lock(mutex_);
  const auto found = memory_.find(address);
  if (found == memory_.end()) return {};
  const Memory memory = std::move(found->second);
  memory_.erase(found);
  if (!memory.to_come.empty())
    return fmt::format("memory is freed while {} is still to use it", memory.to_come.front());
  // It is used again after what the streams that were told have been given by now.
  const auto is_awaited = [&](const Access& access) {
    if (comes_after(streams_[memory.maker], access)) return true;
    return std::any_of(memory.used_by.begin(), memory.used_by.end(), [&](const StreamKey& stream) {
      return access.stream == stream || comes_after(streams_[stream], access);
    });
  };
  for (const std::vector<Access>* accesses : {&memory.writes, &memory.reads}) {
    for (const Access& access : *accesses) {
      if (access.stream == memory.maker || is_awaited(access)) continue;
      return fmt::format("memory made on {} is freed without a word that {} on {} uses it", name(memory.maker),
                         access.what, name(access.stream));
    }
  }
  return {};
}

VectorClock Clocks::now(const c10::Stream& stream) {
  const std::lock_guard lock(mutex_);
  return streams_[key_of(stream)];
}

void Clocks::come_after(const c10::Stream& stream, const VectorClock& mark) {
  const std::lock_guard lock(mutex_);
  VectorClock& clock = streams_[key_of(stream)];
  for (const auto& [other, time] : mark) clock[other] = std::max(clock[other], time);
}

}  // namespace pipedream::testing
