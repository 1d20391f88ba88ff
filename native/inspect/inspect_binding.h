#pragma once

#include <napi.h>

namespace procmuster {

void RegisterInspect(Napi::Env env, Napi::Object exports);

}  // namespace procmuster
