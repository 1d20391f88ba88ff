#pragma once

#include <napi.h>

namespace procmuster {

void RegisterEvents(Napi::Env env, Napi::Object exports);

}  // namespace procmuster
