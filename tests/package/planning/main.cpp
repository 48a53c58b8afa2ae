// Plans a network of two layers for two workers: profiles, the solver and the files, without LibTorch.
#include <pipedream/partition.h>
#include <pipedream/version.h>

namespace pd = pipedream;

int main() {
  pd::Profile profile;
  profile.microbatch_size = 1;
  profile.layers = {{.name = "first", .forward_us = 100, .backward_us = 200},
                    {.name = "loss", .forward_us = 100, .backward_us = 200}};
  profile.tensors = {{.name = "first", .producer = "first", .consumers = {"loss"}, .bytes = 64}};

  const pd::Plan plan = pd::partition(profile, pd::uniform_topology(2, 1e9), {.straight = true});
  const bool planned = pd::parse_plan(pd::to_json(plan), "plan").stages.size() == 2;
  return planned && pd::version() == pd::kVersion ? 0 : 1;
}
