// I/O scheduling class of one thread, ioprio_set(2).
#pragma once

#include <napi.h>

namespace procmuster {

void RegisterIoPriority(Napi::Env env, Napi::Object exports);

}  // namespace procmuster
