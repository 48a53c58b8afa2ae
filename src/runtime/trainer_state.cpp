// A trainer's weights, counters and timeline.
#include <cstring>
#include <type_traits>

#include "pipedream/weights.h"
#include "runtime/trainer_impl.h"
#include "transport/agreement.h"

namespace pipedream {

void Trainer::Impl::save_weights(const std::filesystem::path& path) {
  const NamedTensors weights = exchange_->gather(/*on_every_worker=*/false);
  detail::agree(comm_, [&]() -> detail::Facts {
    if (comm_.rank() == 0) write_safetensors(path, weights);
    return {};
  });
}

void Trainer::Impl::load_weights(const std::filesystem::path& path, bool strict) {
  detail::agree(comm_, [&]() -> detail::Facts {
    exchange_->take(read_safetensors(path), path.string(), strict);
    return {};
  });
}

std::vector<RuntimeCounters> Trainer::Impl::counters_of_workers() {
  static_assert(std::is_trivially_copyable_v<RuntimeCounters>);
  const RuntimeCounters own = counters();
  std::vector<RuntimeCounters> all;
  for (const std::string& bytes : comm_.all_gather({reinterpret_cast<const char*>(&own), sizeof(own)})) {
    std::memcpy(&all.emplace_back(), bytes.data(), sizeof(RuntimeCounters));
  }
  return all;
}

Timeline Trainer::Impl::timeline() {
  static_assert(std::is_trivially_copyable_v<TimelineEvent>);
  const TimelineRecorder& recorder = executor_->recorder();
  struct Header {
    std::int64_t clock_zero_ns;
    std::int64_t dropped;
  };
  const Header own{clock_zero_ns_, recorder.dropped()};
  const auto events = recorder.events();
  std::string bytes(sizeof(Header) + events.size() * sizeof(TimelineEvent), '\0');
  std::memcpy(bytes.data(), &own, sizeof(Header));
  std::memcpy(bytes.data() + sizeof(Header), events.data(), events.size() * sizeof(TimelineEvent));

  // Workers of one machine share a clock; those of several share the instant at which they left the barrier.
  const bool one_machine = comm_.local_size() == comm_.size();
  Timeline timeline;
  std::int64_t first_zero_ns = 0;
  for (const std::string& text : comm_.all_gather(bytes)) {
    Header header{};
    std::memcpy(&header, text.data(), sizeof(Header));
    if (timeline.workers.empty()) first_zero_ns = header.clock_zero_ns;
    auto& list = timeline.workers.emplace_back((text.size() - sizeof(Header)) / sizeof(TimelineEvent));
    std::memcpy(list.data(), text.data() + sizeof(Header), list.size() * sizeof(TimelineEvent));
    const std::int64_t zero = one_machine ? first_zero_ns : header.clock_zero_ns;
    for (TimelineEvent& event : list) {
      event.start_ns -= zero;
      event.end_ns -= zero;
    }
    timeline.dropped.push_back(header.dropped);
  }
  timeline.first_microbatch = timeline_first_;
  return timeline;
}

}  // namespace pipedream
