#pragma once

#include <napi.h>

namespace procmuster {

void RegisterFileLock(Napi::Env env, Napi::Object exports);

}  // namespace procmuster
