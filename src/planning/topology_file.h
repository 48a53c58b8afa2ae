// The fields of a topology in a file; a profile carries one too.
#pragma once

#include "pipedream/topology.h"

namespace pipedream::detail {

template <class Fields>
void describe(Fields& fields, TopologyLevel& level) {
  fields.required("name", level.name);
  fields.required("count", level.count);
  fields.required("bandwidth_bytes_per_s", level.bandwidth_bytes_per_s);
  fields.optional("latency_us", level.latency_us);
  fields.optional("allreduce_bytes_per_s", level.allreduce_bytes_per_s);
}

template <class Fields>
void describe(Fields& fields, Topology& topology) {
  fields.required("levels", topology.levels);
  fields.optional("memory_bytes_per_worker", topology.memory_bytes_per_worker);
  fields.optional("one_process", topology.one_process);
}

}  // namespace pipedream::detail
