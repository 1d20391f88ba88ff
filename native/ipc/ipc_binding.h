#pragma once

#include <napi.h>

namespace procmuster {

void RegisterIpc(Napi::Env env, Napi::Object exports);

}  // namespace procmuster
