#pragma once

#include <napi.h>

namespace procmuster {

void RegisterSampler(Napi::Env env, Napi::Object exports);

}  // namespace procmuster
