#pragma once

#include <napi.h>

namespace procmuster {

// timeWalk(groups, out: Float64Array of wallNs, cpuNs, rows, slices): an errno, 0 for success.
void RegisterTimeWalk(Napi::Env env, Napi::Object exports);

}  // namespace procmuster
