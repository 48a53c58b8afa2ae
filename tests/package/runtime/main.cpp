// A program that trains needs nothing but the package: LibTorch and MPI come with it.
#include <mpi.h>
#include <pipedream/version.h>
#include <torch/types.h>

int main() {
  int initialized = 1;
  MPI_Initialized(&initialized);
  const bool sums = torch::ones({2, 3}).sum().item<float>() == 6.0F;
  return pipedream::version() == pipedream::kVersion && initialized == 0 && sums ? 0 : 1;
}
