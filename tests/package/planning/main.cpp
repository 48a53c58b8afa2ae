// Plans and schedules, no LibTorch.
#include <pipedream/version.h>

int main() { return pipedream::version() == pipedream::kVersion ? 0 : 1; }
