// Starts a program, held before exec until its parent says so.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>

#include "common/unique_fd.h"
#include "spawn/child.h"

namespace procmuster {

struct SpawnOutcome {
  int error = 0;
  SpawnStep step = SpawnStep::kDone;
};

// The child shares our memory until exec (vfork semantics: a fork of a large heap is slow), on a stack of its
// own, and suspends the thread that made it, which is why that is one of those kept for it.
class GatedChild {
 public:
  explicit GatedChild(SpawnPlan plan);
  ~GatedChild();
  GatedChild(const GatedChild&) = delete;
  GatedChild& operator=(const GatedChild&) = delete;

  // Returns once the child stands at the gate, or failed before it.
  SpawnOutcome Start();
  // Lets it go on; returns once it executed the program, or failed to.
  SpawnOutcome Open();
  // The child ends without having executed anything; harmless after Open().
  void Cancel();

  pid_t pid() const;
  uint32_t warnings() const;
  // A descriptor of its own for each caller.
  UniqueFd DuplicatePidfd() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace procmuster
