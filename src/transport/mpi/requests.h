// Requests that belong together, and what must stay alive until they are complete.
//
// All functions are called with the MPI lock held.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace pipedream::detail {

class Requests {
 public:
  // Starts transfers of `bytes` at `data`. They travel as parts of at most `part_bytes`, since MPI counts in int. The
  // receiver may have room for more than is sent: both ends give the room as `capacity`, from which the number of parts
  // follows. Order does what numbers would: parts of one tag arrive as they were sent.
  void send(const void* data, std::int64_t bytes, std::int64_t capacity, std::int64_t part_bytes, int peer, int tag,
            MPI_Comm comm);
  void receive(void* data, std::int64_t capacity, std::int64_t part_bytes, int peer, int tag, MPI_Comm comm);

  // Are all complete? Forgets them then. `received`, if given, grows by the bytes of receives as they complete. Throws
  // CommunicationError.
  bool test(std::int64_t* received = nullptr);
  bool empty() const { return requests_.empty(); }

  // Gives up: receives that have not begun are cancelled. Returns false if some transfer goes on; its memory must then
  // outlive this process's use of MPI.
  bool cancel_receives() noexcept;
  bool abandon_sends() noexcept;

 private:
  void forget();

  std::vector<MPI_Request> requests_;
  std::size_t complete_ = 0;  // that many at the front are
};

// What MPI may still read or write when its owner is gone is never freed.
template <typename T>
void leak(T&& memory) {
  static_cast<void>(new std::decay_t<T>(std::forward<T>(memory)));
}

}  // namespace pipedream::detail
