#include "transport/nccl/reduce.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pipedream/error.h"
#include "transport/sum.h"

namespace pipedream::detail {

namespace {

// Large enough for the bandwidth of any network; what depends on the first of a buffer need not wait for the last. A
// bucket's place in the buffer depends on nothing else, so that all members have the same ones, in the same order.
constexpr std::int64_t kBucketBytes = std::int64_t{32} << 20;

}  // namespace

NcclReduceGroup::NcclReduceGroup(NcclEngine& engine, std::vector<int> members, int place, int id)
    : engine_(engine),
      members_(std::move(members)),
      place_(place),
      id_(id),
      ledger_(group_name(members_, id), kPostedSums),
      lane_(engine.group_lane(members_, id)),
      host_(engine.host.open_reduce(members_, id)) {}

NcclReduceGroup::~NcclReduceGroup() {
  if (!posted_.empty()) engine_.watch.abort(ledger_.name() + " was closed while a sum was under way");
}

void NcclReduceGroup::post(torch::Tensor buffer, double weight, std::vector<bool> present) {
  engine_.demand_use(lane_, ledger_.name());
  check_addend(buffer, present, members_.size(), ledger_.name());
  if (buffer.device() != engine_.device && buffer.numel() > 0) {
    throw ConfigError(fmt::format("{}: a buffer on {}; the group was opened for {}", ledger_.name(),
                                  buffer.device().str(), engine_.device.str()));
  }
  const std::int64_t index = ledger_.post();
  buffer = buffer.detach();
  if (!present[static_cast<std::size_t>(place_)]) buffer.zero_();  // it is added all the same
  host_->post(at::empty(buffer.sizes(), buffer.options().device(torch::kMeta)), weight, std::move(present));
  posted_.push_back({buffer, start(buffer, index)});
}

StreamMark NcclReduceGroup::start(const at::Tensor& buffer, std::int64_t index) {
  const StreamMark ready(engine_.device);
  StreamMark done = ready;
  const std::int64_t bucket = kBucketBytes / static_cast<std::int64_t>(buffer.element_size());
  for (std::int64_t begin = 0; begin < buffer.numel(); begin += bucket) {
    const at::Tensor part = buffer.narrow(0, begin, std::min(bucket, buffer.numel() - begin));
    done = lane_.queue(ready, {.what = "reduction", .id = id_, .index = index},
                       [&](NcclConnection& connection, const c10::Stream& stream) { connection.sum(part, stream); });
  }
  return done;
}

double NcclReduceGroup::wait() {
  ledger_.oldest();
  const double weight = host_->wait();
  posted_.front().done.precede_work_of(engine_.device);
  engine_.watch.throw_if_failed();
  posted_.pop_front();
  ledger_.finish();
  return weight;
}

}  // namespace pipedream::detail
