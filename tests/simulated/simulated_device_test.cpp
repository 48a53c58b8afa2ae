// The simulated device finds what it is there to find.
#include <ATen/ops/ones.h>
#include <c10/core/StreamGuard.h>

#include <catch2/catch.hpp>

#include "simulated/device.h"
#include "transport/device.h"
#include "transport/stream_mark.h"

using namespace pipedream::testing;
using Catch::Contains;
using pipedream::detail::make_stream;
using pipedream::detail::StreamMark;

namespace {

torch::Tensor tensor_of_stream(const c10::Stream& stream) {
  const c10::StreamGuard guard(stream);
  return at::ones({4}, simulated_device());
}

std::string races() {
  std::string text;
  for (const std::string& race : take_findings().races) text += race + "; ";
  return text;
}

}  // namespace

TEST_CASE("work of another stream must be waited for") {
  const c10::Stream stream = *make_stream(simulated_device());
  const torch::Tensor made = tensor_of_stream(stream);
  pipedream::detail::keep_for_current_stream(made);
  const torch::Tensor early = made + 1;
  CHECK_THAT(races(), Contains("aten::add") && Contains("does not come after"));
  StreamMark mark;
  {
    const c10::StreamGuard guard(stream);
    mark = StreamMark(simulated_device());
  }
  mark.precede_work_of(simulated_device());
  const torch::Tensor late = made + 1;
  CHECK(races().empty());
}

TEST_CASE("memory that another stream may still use must not be freed without a word") {
  const c10::Stream stream = *make_stream(simulated_device());
  for (const bool told : {false, true}) {
    torch::Tensor made = tensor_of_stream(stream);
    StreamMark mark;
    {
      const c10::StreamGuard guard(stream);
      mark = StreamMark(simulated_device());
    }
    mark.precede_work_of(simulated_device());
    if (told) pipedream::detail::keep_for_current_stream(made);
    const torch::Tensor sum = made + 1;
    made.reset();
    CHECK(races().empty() == told);
  }
}

TEST_CASE("writes of parts that do not overlap are no race") {
  const c10::Stream stream = *make_stream(simulated_device());
  const torch::Tensor whole = at::ones({8}, simulated_device());
  const StreamMark mark(simulated_device());
  {
    const c10::StreamGuard guard(stream);
    mark.precede_work_of(simulated_device());
    whole.narrow(0, 0, 4).add_(1);
  }
  whole.narrow(0, 4, 4).add_(1);
  CHECK(races().empty());
  whole.narrow(0, 3, 2).add_(1);
  CHECK_FALSE(races().empty());
}

TEST_CASE("what the host waits for is named") {
  take_findings();
  const torch::Tensor one = at::ones({1}, simulated_device());
  CHECK(take_findings().host_waits.empty());
  CHECK(one.item<float>() == 1);
  CHECK(one.to(torch::kCPU).const_data_ptr<float>()[0] == 1);
  CHECK(take_findings().host_waits == std::vector<std::string>{"item", "copy_ to the CPU"});
}
