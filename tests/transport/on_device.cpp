#include "transport/on_device.h"

#include <deque>
#include <utility>

namespace pipedream::testing {

namespace {

bool can_move(const at::Tensor& tensor) { return tensor.defined() && tensor.layout() == at::kStrided; }

class Sender final : public SendChannel {
 public:
  Sender(std::unique_ptr<SendChannel> inner, torch::Device device) : inner_(std::move(inner)), device_(device) {}
  void post(Message message) override {
    for (at::Tensor& tensor : message.tensors) {
      if (can_move(tensor)) tensor = tensor.to(device_);
    }
    inner_->post(std::move(message));
  }
  void wait() override { inner_->wait(); }

 private:
  std::unique_ptr<SendChannel> inner_;
  torch::Device device_;
};

class Receiver final : public ReceiveChannel {
 public:
  explicit Receiver(std::unique_ptr<ReceiveChannel> inner) : inner_(std::move(inner)) {}
  void post() override { inner_->post(); }
  bool arrived() override { return inner_->arrived(); }
  Message wait() override {
    Message message = inner_->wait();
    for (at::Tensor& tensor : message.tensors) {
      if (tensor.defined()) tensor = tensor.cpu();
    }
    return message;
  }

 private:
  std::unique_ptr<ReceiveChannel> inner_;
};

class Group final : public ReduceGroup {
 public:
  Group(std::unique_ptr<ReduceGroup> inner, torch::Device device) : inner_(std::move(inner)), device_(device) {}
  void post(torch::Tensor buffer, double weight, std::vector<bool> present) override {
    const at::Tensor moved = at::empty_strided(buffer.sizes(), buffer.strides(), buffer.options().device(device_));
    moved.copy_(buffer);
    inner_->post(moved, weight, std::move(present));
    posted_.emplace_back(buffer, moved);
  }
  double wait() override {
    const double weight = inner_->wait();
    const auto [buffer, moved] = posted_.front();
    posted_.pop_front();
    buffer.copy_(moved);
    return weight;
  }

 private:
  std::unique_ptr<ReduceGroup> inner_;
  torch::Device device_;
  std::deque<std::pair<at::Tensor, at::Tensor>> posted_;
};

class OnDevice final : public Communicator {
 public:
  OnDevice(Communicator& inner, torch::Device device) : inner_(inner), device_(device) {}
  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  int local_size() const override { return inner_.local_size(); }
  int local_rank() const override { return inner_.local_rank(); }
  std::unique_ptr<SendChannel> open_send(int peer, int id, ChannelOptions options) override {
    options.device = device_;
    return std::make_unique<Sender>(inner_.open_send(peer, id, options), device_);
  }
  std::unique_ptr<ReceiveChannel> open_receive(int peer, int id, ChannelOptions options) override {
    options.device = device_;
    return std::make_unique<Receiver>(inner_.open_receive(peer, id, options));
  }
  std::unique_ptr<ReduceGroup> open_reduce(std::vector<int> members, int id, torch::Device) override {
    return std::make_unique<Group>(inner_.open_reduce(std::move(members), id, device_), device_);
  }
  void connect() override { inner_.connect(); }
  std::vector<std::string> all_gather(std::string_view bytes) override { return inner_.all_gather(bytes); }
  void progress() override { inner_.progress(); }
  void note_progress() override { inner_.note_progress(); }
  void set_status(std::function<std::string()> status) override { inner_.set_status(std::move(status)); }
  void set_deadline(std::chrono::milliseconds deadline) override { inner_.set_deadline(deadline); }
  void abort(const std::string& cause) noexcept override { inner_.abort(cause); }

 private:
  Communicator& inner_;
  torch::Device device_;
};

}  // namespace

std::unique_ptr<Communicator> on_device(Communicator& inner, torch::Device device) {
  return std::make_unique<OnDevice>(inner, device);
}

}  // namespace pipedream::testing
