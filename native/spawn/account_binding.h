#pragma once

#include <napi.h>

namespace procmuster {

void RegisterAccounts(Napi::Env env, Napi::Object spawn);

}  // namespace procmuster
