// An open pidfd that JavaScript holds. Only bindings include this.
#pragma once

#include <napi.h>

#include <memory>

#include "common/unique_fd.h"

namespace procmuster {

struct PidHandle {
  UniqueFd pidfd;
};

inline Napi::Value WrapPidfd(Napi::Env env, UniqueFd pidfd) {
  auto* handle = new PidHandle{std::move(pidfd)};
  return Napi::External<PidHandle>::New(env, handle, [](Napi::Env, PidHandle* owned) { delete owned; });
}

// -1 once it is closed, which every call on it answers with EBADF.
inline int PidfdOf(const Napi::Value& value) {
  return value.IsExternal() ? value.As<Napi::External<PidHandle>>().Data()->pidfd.get() : -1;
}

}  // namespace procmuster
