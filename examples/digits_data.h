// The handwritten digits (examples/data/README.md), which are compiled into the program: "image" [rows, 1, 8, 8],
// values from 0 to 1, and "label" [rows].
#pragma once

#include <pipedream/data.h>

#include <memory>

std::shared_ptr<const pipedream::Dataset> digits_train();
std::shared_ptr<const pipedream::Dataset> digits_test();
