#pragma once

#include <napi.h>

namespace procmuster {

void RegisterSpawn(Napi::Env env, Napi::Object exports);

}  // namespace procmuster
