// Every combination once, bit for bit, each with twins that must differ.
#include <catch2/catch.hpp>

#include "support/product.h"
#include "support/twins.h"

using namespace pipedream;
using namespace pipedream::testing;

TEST_CASE("every algorithm, optimizer, plan and kind of microbatch", "[product]") {
  const int workers = GENERATE(2, 3);
  for (const ExactnessCase& example : product_cases(workers)) {
    const auto runs = run_workers(example);
    INFO(describe(example));
    CHECK(difference(example, runs, replay(example)) == "");
    for (const Mutation mutation : twins_of(example)) check_twin(example, runs, mutation);
  }
}
