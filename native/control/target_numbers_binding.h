// Identities as JavaScript hands them over.
#pragma once

#include <napi.h>

#include <vector>

#include "control/identity.h"

namespace procmuster {

// Four numbers each: pid, startTicks, inode (0 = not known), and bits: 1 settled, 2 proven by its inode.
inline constexpr size_t kNumbersPerTarget = 4;

inline Target ReadTarget(const double* numbers) {
  int bits = static_cast<int>(numbers[3]);
  return {static_cast<pid_t>(numbers[0]), static_cast<uint64_t>(numbers[1]),
          static_cast<uint64_t>(numbers[2]), (bits & 1) != 0, (bits & 2) != 0};
}

// Copied, since the caller may change the array while the pool thread works.
inline std::vector<Target> CopyTargets(const Napi::Value& value) {
  Napi::Float64Array array = value.As<Napi::Float64Array>();
  std::vector<Target> targets;
  targets.reserve(array.ElementLength() / kNumbersPerTarget);
  for (size_t i = 0; i + kNumbersPerTarget <= array.ElementLength(); i += kNumbersPerTarget) {
    targets.push_back(ReadTarget(array.Data() + i));
  }
  return targets;
}

}  // namespace procmuster
