#pragma once

#include <napi.h>

namespace procmuster {

void RegisterControl(Napi::Env env, Napi::Object exports);

}  // namespace procmuster
