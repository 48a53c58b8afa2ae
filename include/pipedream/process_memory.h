// How the process keeps memory that was freed.
#pragma once

namespace pipedream {

// Tells glibc's malloc to keep freed memory for the next allocation. By default it gives large blocks back to the
// system at once: then each microbatch gets its gradients and activations as new pages, which the system clears one by
// one (seen: a third of the time of a training step of large linear layers).
//
// A setting of the process, so programs call it, before they train; `run` does. Leaves everything as it is where the
// environment sets malloc up (MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_THRESHOLD_, GLIBC_TUNABLES) or where the C library is
// another one. Call it before other threads start.
void keep_freed_memory();

}  // namespace pipedream
