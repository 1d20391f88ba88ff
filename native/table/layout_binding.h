#pragma once

#include <napi.h>

namespace procmuster {

void RegisterLayout(Napi::Env env, Napi::Object exports);

}  // namespace procmuster
