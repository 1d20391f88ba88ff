#pragma once

#include <napi.h>

namespace procmuster {

void RegisterProcfsSampler(Napi::Env env, Napi::Object exports);

}  // namespace procmuster
