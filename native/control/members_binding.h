#pragma once

#include <napi.h>

namespace procmuster {

void RegisterMembers(Napi::Env env, Napi::Object control);

}  // namespace procmuster
