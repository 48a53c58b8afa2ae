// Who started this process, as far as the environment tells.
#pragma once

namespace pipedream::detail {

// This process's rank as the launcher (mpirun, srun) set it in the environment; 0 when nothing did. For messages before
// MPI has started.
int launcher_rank();

}  // namespace pipedream::detail
