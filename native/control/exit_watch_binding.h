#pragma once

#include <napi.h>

namespace procmuster {

void RegisterExitWatch(Napi::Env env, Napi::Object control);

}  // namespace procmuster
