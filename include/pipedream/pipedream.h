// Everything a training program needs.
#pragma once

#include "pipedream/communicator.h"
#include "pipedream/data.h"
#include "pipedream/error.h"
#include "pipedream/layer_graph.h"
#include "pipedream/mpi_communicator.h"
#include "pipedream/optimizer.h"
#include "pipedream/partition.h"
#include "pipedream/plan.h"
#include "pipedream/process_memory.h"
#include "pipedream/profile.h"
#include "pipedream/profiler.h"
#include "pipedream/run.h"
#include "pipedream/timeline.h"
#include "pipedream/topology.h"
#include "pipedream/trainer.h"
#include "pipedream/weights.h"
