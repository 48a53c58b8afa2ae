#include "transport/mpi/library.h"

#include <fmt/format.h>

#include <array>

#include "pipedream/error.h"

namespace pipedream::detail {

namespace {

struct Failure {
  std::mutex mutex;
  std::optional<std::string> cause;
};

Failure& failure() {
  static Failure instance;
  return instance;
}

}  // namespace

std::mutex& mpi_mutex() {
  static std::mutex mutex;
  return mutex;
}

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw CommunicationError(
      fmt::format("{}: {}", call, std::string_view(text.data(), static_cast<std::size_t>(length))));
}

MPI_Comm duplicate(MPI_Comm parent) {
  const MpiLock lock(mpi_mutex());
  MPI_Comm result = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(parent, &result), "MPI_Comm_dup");
  check_mpi(MPI_Comm_set_errhandler(result, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  return result;
}

void note_failure(const std::string& cause) {
  const std::lock_guard lock(failure().mutex);
  if (!failure().cause) failure().cause = cause;
}

std::optional<std::string> noted_failure() {
  const std::lock_guard lock(failure().mutex);
  return failure().cause;
}

}  // namespace pipedream::detail
