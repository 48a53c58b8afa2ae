// A program that only names the library: NCCL and LibTorch's CUDA side are there all the same.
#include <ATen/Context.h>
#include <pipedream/nccl_communicator.h>

int main() { return pipedream::has_nccl() && at::globalContext().hasCUDART() ? 0 : 1; }
