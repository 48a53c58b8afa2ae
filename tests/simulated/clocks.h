// Who has waited for what: vector clocks of the streams of a simulated device, and the accesses to its memory.
//
// A stream's clock says how far into every stream its work comes after. An access that does not come after an earlier
// one to the same memory, where one of the two writes, is a race: on a real device the two could overlap.
#pragma once

#include <c10/core/Stream.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace pipedream::testing {

using StreamKey = std::pair<int, std::int64_t>;  // device, stream
using VectorClock = std::map<StreamKey, std::int64_t>;

StreamKey key_of(const c10::Stream& stream);

// Bytes of one piece of memory.
struct Span {
  const void* memory;
  std::int64_t begin, end;
};

// What is known of all streams and all memory. Any thread.
class Clocks {
 public:
  // Work on `stream` named `what` reads and writes memory. Returns what it races with; empty: nothing.
  // awaited: the host goes on only when it is done.
  std::string access(const c10::Stream& stream, const std::string& what, const std::vector<Span>& reads,
                     const std::vector<Span>& writes, bool awaited);

  void made(const void* memory, const c10::Stream& stream);
  void used_by(const void* memory, const c10::Stream& stream);  // recordDataPtrOnStream
  // Work that is queued will use the memory, until it is done.
  void will_use(const void* memory, const std::string& what);
  void has_used(const void* memory);
  // The memory may be used again by the stream that made it. Returns what may still use it.
  std::string freed(const void* memory);

  VectorClock now(const c10::Stream& stream);
  void come_after(const c10::Stream& stream, const VectorClock& mark);

 private:
  struct Access {
    StreamKey stream;
    std::int64_t time;
    std::string what;
    Span span;
  };
  struct Memory {
    StreamKey maker;
    std::vector<Access> writes;  // the last of each byte
    std::vector<Access> reads;   // since then, the last of each stream
    std::set<StreamKey> used_by;
    std::vector<std::string> to_come;  // uses that are queued
  };
  static bool comes_after(const VectorClock& clock, const Access& access);
  static std::string race(const StreamKey& stream, const std::string& what, const std::vector<Access>& earlier,
                          const VectorClock& clock, const Span& span);

  std::mutex mutex_;
  std::map<StreamKey, VectorClock> streams_;
  std::map<const void*, Memory> memory_;
};

}  // namespace pipedream::testing
