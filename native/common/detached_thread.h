// A thread that is never joined, and may outlive the environment that started it.
#pragma once

namespace procmuster {

// With all signals blocked: the process's are for its main thread. The library stays mapped for good,
// whatever environment's end unloads it. An errno, 0 for success.
int StartDetachedThread(void* (*main)(void*), void* argument);

}  // namespace procmuster
