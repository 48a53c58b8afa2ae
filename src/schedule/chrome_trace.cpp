// The Trace Event Format that chrome://tracing and Perfetto read: "X" slices, "s" and "f" ends of arrows, "C" counters,
// "M" names.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <tuple>
#include <utility>

#include "planning/atomic_file.h"
#include "schedule/share.h"
#include "schedule/timeline.h"

namespace pipedream {
namespace {

constexpr int kComputeTrack = 0;
constexpr int kCommunicationTrack = 1;

// One end of a message: the post of a send or the wait of a receive.
struct MessageEnd {
  std::tuple<std::int32_t, std::int32_t, std::int64_t> message;  // stages and microbatch
  bool is_receive = false;
  std::int64_t ns = 0;
  std::size_t worker = 0;
};

class TraceWriter {
 public:
  TraceWriter() { text("{\"displayTimeUnit\":\"ms\",\"traceEvents\":["); }

  void name_worker(std::size_t worker, const std::string& name) {
    event("{{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":{},\"args\":{{\"name\":\"{}\"}}}}", worker, name);
    event("{{\"ph\":\"M\",\"name\":\"process_sort_index\",\"pid\":{},\"args\":{{\"sort_index\":{}}}}}", worker, worker);
    name_track(worker, kComputeTrack, "compute");
    name_track(worker, kCommunicationTrack, "communication");
  }

  void slice(std::size_t worker, const TimelineEvent& e) {
    const int track = detail::is_compute(e.action.kind) ? kComputeTrack : kCommunicationTrack;
    event("{{\"ph\":\"X\",\"name\":\"{}\",\"pid\":{},\"tid\":{},\"ts\":{},\"dur\":{},\"args\":{{\"microbatch\":{}",
          to_string(e.action), worker, track, microseconds(e.start_ns), microseconds(e.end_ns - e.start_ns),
          e.action.microbatch);
    if (e.action.version >= 0) {
      fmt::format_to(std::back_inserter(out_), ",\"version\":{}", e.action.version);
    }
    text("}}");
  }

  // Distances are drawn apart: their scale is another one.
  void staleness(std::size_t worker, std::int64_t ns, const StalenessRecord& record) {
    counter(worker, ns, fmt::format("updates behind, stage {}", record.stage),
            static_cast<double>(record.newest - record.version));
    if (!std::isnan(record.distance)) {
      counter(worker, ns, fmt::format("weight distance, stage {}", record.stage), record.distance);
    }
  }

  void arrow(const MessageEnd& send, const MessageEnd& receive) {
    const bool is_activation = std::get<0>(send.message) < std::get<1>(send.message);
    const char* name = is_activation ? "activations" : "gradients";
    ++arrows_;
    event("{{\"ph\":\"s\",\"name\":\"{}\",\"cat\":\"message\",\"id\":{},\"pid\":{},\"tid\":{},\"ts\":{}}}", name,
          arrows_, send.worker, kCommunicationTrack, microseconds(send.ns));
    event("{{\"ph\":\"f\",\"bp\":\"e\",\"name\":\"{}\",\"cat\":\"message\",\"id\":{},\"pid\":{},\"tid\":{},\"ts\":{}}}",
          name, arrows_, receive.worker, kCommunicationTrack, microseconds(receive.ns));
  }

  std::string finish() {
    text("\n]}\n");
    return fmt::to_string(out_);
  }

 private:
  void name_track(std::size_t worker, int track, const char* name) {
    event("{{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":{},\"tid\":{},\"args\":{{\"name\":\"{}\"}}}}", worker, track,
          name);
  }

  void counter(std::size_t worker, std::int64_t ns, const std::string& name, double value) {
    event("{{\"ph\":\"C\",\"name\":\"{}\",\"pid\":{},\"ts\":{},\"args\":{{\"value\":{}}}}}", name, worker,
          microseconds(ns), value);
  }

  template <typename... Args>
  void event(fmt::format_string<Args...> form, Args&&... args) {
    text(is_first_ ? "\n" : ",\n");
    is_first_ = false;
    fmt::format_to(std::back_inserter(out_), form, std::forward<Args>(args)...);
  }

  void text(std::string_view piece) { out_.append(piece.data(), piece.data() + piece.size()); }

  // Exact, where a double would round an instant far from 0.
  static std::string microseconds(std::int64_t ns) {
    return fmt::format("{}{}.{:03}", ns < 0 ? "-" : "", std::abs(ns / 1000), std::abs(ns % 1000));
  }

  fmt::memory_buffer out_;
  bool is_first_ = true;
  std::int64_t arrows_ = 0;
};

std::vector<MessageEnd> message_ends(const Timeline& timeline) {
  std::vector<MessageEnd> ends;
  for (std::size_t worker = 0; worker < timeline.workers.size(); ++worker) {
    for (const TimelineEvent& event : timeline.workers[worker]) {
      const Action& action = event.action;
      if (action.kind == ActionKind::send_post) {
        ends.push_back({{action.stage, action.peer, action.microbatch}, false, event.start_ns, worker});
      } else if (action.kind == ActionKind::receive_wait) {
        // An arrow ends in the slice that contains its instant.
        ends.push_back(
            {{action.stage, action.peer, action.microbatch}, true, std::max(event.start_ns, event.end_ns - 1), worker});
      }
    }
  }
  return ends;
}

// The same message recurs in every segment, and old ends may have been dropped: the n-th last send of a message belongs
// to its n-th last receive.
void write_arrows(TraceWriter& out, const Timeline& timeline) {
  std::vector<MessageEnd> ends = message_ends(timeline);
  std::sort(ends.begin(), ends.end(), [](const MessageEnd& a, const MessageEnd& b) {
    return std::tie(a.message, a.is_receive, b.ns) < std::tie(b.message, b.is_receive, a.ns);
  });
  for (auto send = ends.begin(); send != ends.end();) {
    const auto receive = std::find_if(
        send, ends.end(), [&](const MessageEnd& end) { return end.is_receive || end.message != send->message; });
    const auto next = std::find_if(
        receive, ends.end(), [&](const MessageEnd& end) { return !end.is_receive || end.message != send->message; });
    const auto pairs = std::min(receive - send, next - receive);
    for (std::ptrdiff_t i = 0; i < pairs; ++i) {
      out.arrow(send[i], receive[i]);
    }
    send = next;
  }
}

// Records are in order of microbatch and stage.
void write_staleness(TraceWriter& out, const Timeline& timeline, std::span<const StalenessRecord> staleness) {
  const auto place = [](std::int64_t microbatch, int stage) { return std::pair(microbatch, stage); };
  for (std::size_t worker = 0; worker < timeline.workers.size(); ++worker) {
    for (const TimelineEvent& event : timeline.workers[worker]) {
      if (event.action.kind != ActionKind::backward) continue;
      const auto wanted = place(timeline.first_microbatch + event.action.microbatch, event.action.stage);
      const auto record =
          std::lower_bound(staleness.begin(), staleness.end(), wanted,
                           [&](const auto& r, const auto& key) { return place(r.microbatch, r.stage) < key; });
      if (record == staleness.end() || place(record->microbatch, record->stage) != wanted) continue;
      out.staleness(worker, event.start_ns, *record);
    }
  }
}

}  // namespace

void write_chrome_trace(const Timeline& timeline, const Plan& plan, const std::filesystem::path& path,
                        std::span<const StalenessRecord> staleness) {
  detail::check_workers(timeline, plan);
  TraceWriter out;
  for (std::size_t worker = 0; worker < timeline.workers.size(); ++worker) {
    const int id = static_cast<int>(worker);
    out.name_worker(worker, detail::worker_name(id, detail::places_of(plan, id)));
    for (const TimelineEvent& event : timeline.workers[worker]) {
      out.slice(worker, event);
    }
  }
  write_arrows(out, timeline);
  write_staleness(out, timeline, staleness);
  write_file_atomically(path, out.finish());
}

}  // namespace pipedream
