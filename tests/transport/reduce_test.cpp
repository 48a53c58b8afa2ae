#include <catch2/catch.hpp>
#include <cmath>
#include <memory>

#include "pipedream/error.h"
#include "transport/contract.h"

namespace pipedream {
namespace {

using testing::all_well;
using testing::expect;
using testing::expect_throw;
using testing::launch;

// Values of very different size, so that another order of the sum gives other bits.
at::Tensor addend(int member, std::int64_t size, at::ScalarType dtype, int turn = 0) {
  const at::Tensor i = at::arange(size, at::kDouble) + 1;
  return (at::sin(i * (member + 1) * 1.7 + turn) * at::exp(at::cos(i + member * 3) * 9)).to(dtype);
}

at::Tensor plain_sum(int members, const std::vector<bool>& present, std::int64_t size, at::ScalarType dtype,
                     int turn = 0) {
  at::Tensor sum;
  for (int i = 0; i < members; ++i) {
    if (!present[static_cast<std::size_t>(i)]) continue;
    if (sum.defined()) {
      sum += addend(i, size, dtype, turn);
    } else {
      sum = addend(i, size, dtype, turn);
    }
  }
  return sum.defined() ? sum : at::zeros({size}, dtype);
}

bool same_bits(const at::Tensor& one, const at::Tensor& other) {
  return one.dtype() == other.dtype() && one.sizes() == other.sizes() &&
         at::equal(one.view(at::kByte), other.view(at::kByte));
}

std::vector<int> all_members(int workers) {
  std::vector<int> members;
  for (int i = 0; i < workers; ++i) members.push_back(i);
  return members;
}

TEST_CASE("another order of the sum gives other bits, so that the tests below can fail") {
  const at::Tensor forward = addend(0, 1000, at::kFloat) + addend(1, 1000, at::kFloat) + addend(2, 1000, at::kFloat);
  const at::Tensor backward = addend(2, 1000, at::kFloat) + addend(1, 1000, at::kFloat) + addend(0, 1000, at::kFloat);
  CHECK_FALSE(same_bits(forward, backward));
}

TEST_CASE("sums have the bits of a loop over the members, whoever is present") {
  const int workers = GENERATE_COPY(Catch::Generators::range(1, testing::most_workers() + 1));
  const auto ends = launch(workers, [&](Communicator& communicator) {
    const auto group = communicator.open_reduce(all_members(workers), 0);
    communicator.connect();
    const int me = communicator.rank();
    for (const at::ScalarType dtype : {at::kFloat, at::kDouble, at::kBFloat16}) {
      for (const std::int64_t size : {0, 1, 3, 1000, 200003}) {
        for (int absent = 0; absent <= workers; ++absent) {
          std::vector<bool> present(static_cast<std::size_t>(workers), true);
          for (int i = 0; i < workers; ++i) present[static_cast<std::size_t>(i)] = absent == workers || i != absent;
          const bool have = present[static_cast<std::size_t>(me)];
          // The addend of an absent member must not count.
          const at::Tensor buffer = have ? addend(me, size, dtype) : at::full({size}, 1e6, dtype);
          group->post(buffer, 0.1 * (me + 1), present);
          const double weight = group->wait();
          double expected = 0;
          for (int i = 0; i < workers; ++i) {
            if (present[static_cast<std::size_t>(i)]) expected += 0.1 * (i + 1);
          }
          expect(same_bits(buffer, plain_sum(workers, present, size, dtype)), "bits of the loop");
          expect(weight == expected, "the sum of the weights");
        }
      }
    }
  });
  CHECK(ends == all_well(workers));
}

TEST_CASE("two sums may be under way, and go on while their owner waits for something else") {
  const int workers = testing::most_workers();
  const auto ends = launch(workers, [&](Communicator& communicator) {
    const auto group = communicator.open_reduce(all_members(workers), 4);
    communicator.connect();
    const std::vector<bool> present(static_cast<std::size_t>(workers), true);
    const int me = communicator.rank();
    constexpr std::int64_t size = 300000;
    for (int turn = 0; turn < 3; ++turn) {
      const at::Tensor one = addend(me, size, at::kFloat, 2 * turn);
      const at::Tensor two = addend(me, size / 2, at::kFloat, 2 * turn + 1);
      group->post(one, 1, present);
      group->post(two, 2, present);
      expect_throw<ConfigError>("2 slots", [&] { group->post(at::zeros({1}), 1, present); });
      // Worker 0 waits for its sums before it sends what the others wait for before they turn to theirs.
      const ChannelOptions options{.tensors = 1, .slots = 1};
      if (me != 0) {
        const auto channel = communicator.open_receive(0, 9, options);
        channel->post();
        channel->wait();
      }
      expect(group->wait() == workers, "the weight of the first");
      expect(group->wait() == 2 * workers, "the weight of the second");
      for (int peer = 1; peer < workers && me == 0; ++peer) {
        const auto channel = communicator.open_send(peer, 9, options);
        channel->post({{at::zeros({1})}, 0});
        channel->wait();
      }
      expect(same_bits(one, plain_sum(workers, present, size, at::kFloat, 2 * turn)), "bits of the first");
      expect(same_bits(two, plain_sum(workers, present, size / 2, at::kFloat, 2 * turn + 1)), "bits of the second");
    }
  });
  CHECK(ends == all_well(workers));
}

TEST_CASE("groups of some workers, that overlap, do not mix") {
  const int workers = testing::most_workers();
  const auto ends = launch(workers, [&](Communicator& communicator) {
    const int me = communicator.rank();
    const std::vector<int> first = {0, workers - 1};
    std::vector<int> second;
    for (int i = 0; i < workers; i += 2) second.push_back(i);
    struct Joined {
      int id;
      std::vector<int> members;
      std::unique_ptr<ReduceGroup> group;
      at::Tensor buffer;
    };
    std::vector<Joined> joined;
    int id = 0;
    for (const auto& members : {first, second}) {
      ++id;
      if (std::find(members.begin(), members.end(), me) == members.end()) continue;
      joined.push_back({id, members, communicator.open_reduce(members, id), at::full({5}, me + 100. * id)});
    }
    communicator.connect();
    for (Joined& one : joined) one.group->post(one.buffer, me, std::vector<bool>(one.members.size(), true));
    for (auto one = joined.rbegin(); one != joined.rend(); ++one) {
      double weight = 0;
      float sum = 0;
      for (int member : one->members) {
        weight += member;
        sum += static_cast<float>(member + 100. * one->id);
      }
      expect(one->group->wait() == weight, "the weights of the members");
      expect(at::equal(one->buffer, at::full({5}, sum)), "the sum of the members");
    }
  });
  CHECK(ends == all_well(workers));
}

TEST_CASE("members that disagree about a sum are told how") {
  const auto ends = launch(2, [](Communicator& communicator) {
    const auto group = communicator.open_reduce({0, 1}, 0);
    communicator.connect();
    group->post(at::zeros({communicator.rank() == 0 ? 10 : 12}), 1, {true, true});
    group->wait();
  });
  for (const std::string& end : ends) {
    CHECK_THAT(end, Catch::Contains("worker 0: 10 elements of Float"));
    CHECK_THAT(end, Catch::Contains("worker 1: 12 elements of Float"));
  }
}

TEST_CASE("misuse of groups is refused") {
  const auto ends = launch(2, [](Communicator& communicator) {
    const int me = communicator.rank();
    expect_throw<ConfigError>("ascending", [&] { communicator.open_reduce({1, 0}, 0); });
    expect_throw<ConfigError>("ascending", [&] { communicator.open_reduce({0, 2}, 0); });
    expect_throw<ConfigError>("opened by worker", [&] { communicator.open_reduce({1 - me}, 0); });
    const auto group = communicator.open_reduce({0, 1}, 0);
    communicator.connect();
    expect_throw<ConfigError>("open already", [&] { communicator.open_reduce({0, 1}, 0); });
    expect_throw<ConfigError>("one dimension", [&] { group->post(at::zeros({2, 2}), 1, {true, true}); });
    expect_throw<ConfigError>("contiguous", [&] { group->post(at::zeros({4}).slice(0, 0, 4, 2), 1, {true, true}); });
    expect_throw<ConfigError>("3 entries for 2 members", [&] { group->post(at::zeros({4}), 1, {true, true, true}); });
    expect_throw<ConfigError>("not posted", [&] { group->wait(); });
    communicator.barrier();
  });
  CHECK(ends == all_well(2));
}

}  // namespace
}  // namespace pipedream
