// A small convolutional network for the handwritten digits: a chain of 17 layers, the loss included.
#pragma once

#include <pipedream/layer_graph.h>

pipedream::LayerGraph digits();
