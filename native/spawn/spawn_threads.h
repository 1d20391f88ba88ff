// Threads that make children and live on. PR_SET_PDEATHSIG, set by the program in a child, fires when the
// thread that made the child ends, not when the process does: a restarted program that asks for it would be
// killed at once by the end of a thread of its own. So an idle thread waits for the next child, and none ever
// ends; there are as many as there were children held at a gate at the same time.
#pragma once

#include <functional>

namespace procmuster {

// Runs `work` on one of them, with all signals blocked. An errno when a thread could not be started, else 0.
int RunOnSpawnThread(std::function<void()> work);

}  // namespace procmuster
