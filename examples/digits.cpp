// Handwritten digits: a small convolutional network, trained as a pipeline.
//
//   digits train                                  alone
//   digits train --workers 2                      two threads
//   mpirun -n 2 digits train --trace trace.json   two processes
//
// Without --plan it measures its layers, plans the stages and trains; see digits --help and docs/guide.md.
#include <pipedream/pipedream.h>

#include "digits_data.h"
#include "digits_network.h"

namespace pd = pipedream;

int main(int argc, char** argv) {
  return pd::run(argc, argv,
                 {.name = "digits",
                  .graph = digits,
                  .train = digits_train,
                  .test = digits_test,
                  .optimizer = pd::sgd({.learning_rate = 0.015, .momentum = 0.9, .weight_decay = 0.001}),
                  .microbatch_size = 16,
                  .epochs = 30});
}
