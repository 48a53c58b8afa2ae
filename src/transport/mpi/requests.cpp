#include "transport/mpi/requests.h"

#include <algorithm>

#include "transport/mpi/library.h"

namespace pipedream::detail {

namespace {

// Tests of a cancelled receive before it is taken for one that has begun; cancelling is local and needs one or two.
constexpr int kCancelTests = 100;

std::int64_t count_parts(std::int64_t capacity, std::int64_t part_bytes) {
  return (capacity + part_bytes - 1) / part_bytes;
}

}  // namespace

void Requests::send(const void* data, std::int64_t bytes, std::int64_t capacity, std::int64_t part_bytes, int peer,
                    int tag, MPI_Comm comm) {
  const auto* from = static_cast<const char*>(data);
  for (std::int64_t part = 0; part < count_parts(capacity, part_bytes); ++part) {
    const std::int64_t begin = std::min(bytes, part * part_bytes);
    const std::int64_t size = std::min(bytes - begin, part_bytes);
    check_mpi(MPI_Isend(from + begin, static_cast<int>(size), MPI_BYTE, peer, tag, comm, &requests_.emplace_back()),
              "MPI_Isend");
  }
}

void Requests::receive(void* data, std::int64_t capacity, std::int64_t part_bytes, int peer, int tag, MPI_Comm comm) {
  auto* to = static_cast<char*>(data);
  for (std::int64_t begin = 0; begin < capacity; begin += part_bytes) {
    const std::int64_t size = std::min(capacity - begin, part_bytes);
    check_mpi(MPI_Irecv(to + begin, static_cast<int>(size), MPI_BYTE, peer, tag, comm, &requests_.emplace_back()),
              "MPI_Irecv");
  }
}

bool Requests::test(std::int64_t* received) {
  while (complete_ < requests_.size()) {
    int flag = 0;
    MPI_Status status;
    check_mpi(MPI_Test(&requests_[complete_], &flag, &status), "MPI_Test");
    if (flag == 0) return false;
    ++complete_;
    if (received == nullptr) continue;
    int bytes = 0;
    check_mpi(MPI_Get_count(&status, MPI_BYTE, &bytes), "MPI_Get_count");
    *received += bytes;
  }
  forget();
  return true;
}

bool Requests::cancel_receives() noexcept {
  bool all = true;
  for (; complete_ < requests_.size(); ++complete_) {
    MPI_Request& request = requests_[complete_];
    if (request == MPI_REQUEST_NULL) continue;
    int flag = 0;
    MPI_Cancel(&request);
    for (int i = 0; i < kCancelTests && flag == 0; ++i) {
      if (MPI_Test(&request, &flag, MPI_STATUS_IGNORE) != MPI_SUCCESS) flag = 1;
    }
    all = all && flag != 0;
  }
  forget();
  return all;
}

bool Requests::abandon_sends() noexcept {
  bool all = true;
  for (; complete_ < requests_.size(); ++complete_) {
    int flag = 0;
    if (MPI_Test(&requests_[complete_], &flag, MPI_STATUS_IGNORE) != MPI_SUCCESS) flag = 1;
    all = all && flag != 0;
  }
  forget();
  return all;
}

void Requests::forget() {
  requests_.clear();
  complete_ = 0;
}

}  // namespace pipedream::detail
