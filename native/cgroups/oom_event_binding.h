// Out-of-memory notices of cgroup version 1: an eventfd that the kernel writes to.
#pragma once

#include <napi.h>

namespace procmuster {

void RegisterOomEvent(Napi::Env env, Napi::Object exports);

}  // namespace procmuster
