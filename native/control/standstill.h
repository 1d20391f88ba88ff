// Whether a process runs any code of its own, by its state in /proc.
#pragma once

#include "control/identity.h"

namespace procmuster {

bool Ended(const StatFacts& facts);

// Stopped or ended.
bool StandsStill(pid_t pid, const StatFacts& facts);

}  // namespace procmuster
