#include "emulated_device.h"

#include <torch/csrc/autograd/custom_function.h>

#include "emulated_clock.h"
#include "runtime/steady_clock.h"

namespace pipedream::bench {
namespace {

// The device ends at a point in time, whatever the host did meanwhile.
class Emulated : public torch::autograd::Function<Emulated> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, std::int64_t floats, std::int64_t forward_ns,
                               std::int64_t backward_ns) {
    const std::int64_t start = detail::steady_now_ns();
    context->save_for_backward({weight});
    context->saved_data["backward_ns"] = backward_ns;
    context->saved_data["x_needs_gradient"] = x.requires_grad();
    context->saved_data["x_sizes"] = x.sizes();
    torch::Tensor y = x.numel() == floats ? x.clone() : torch::zeros({1, floats});
    sleep_until(start + forward_ns);
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const std::int64_t start = detail::steady_now_ns();
    torch::Tensor dx;
    if (context->saved_data["x_needs_gradient"].toBool()) {
      const auto sizes = context->saved_data["x_sizes"].toIntVector();
      dx = gradients[0].sizes() == sizes ? gradients[0].clone() : torch::zeros(sizes);
    }
    torch::Tensor dw = torch::zeros_like(context->get_saved_variables()[0]);
    sleep_until(start + context->saved_data["backward_ns"].toInt());
    return {dx, dw, {}, {}, {}};
  }
};

std::int64_t ns(std::chrono::microseconds time) { return std::chrono::nanoseconds(time).count(); }

}  // namespace

EmulatedLayer::EmulatedLayer(std::chrono::microseconds forward, std::chrono::microseconds backward, std::int64_t floats,
                             std::int64_t parameters)
    : forward_(forward),
      backward_(backward),
      floats_(floats),
      weight_(register_parameter("weight", torch::zeros({parameters}))) {}

torch::Tensor EmulatedLayer::forward(const torch::Tensor& x) {
  return Emulated::apply(x, weight_, floats_, ns(forward_), ns(backward_));
}

}  // namespace pipedream::bench
