// An open pidfd that JavaScript holds.
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

// Null for what is no External: in a worker thread that is being terminated the call that should have made it
// failed. For the same reason no binding coerces its arguments: those calls fail then, and abort the process.
template <typename T>
T* HeldBy(const Napi::Value& value) {
  return value.IsExternal() ? value.As<Napi::External<T>>().Data() : nullptr;
}

// -1 once it is closed, which every call on it answers with EBADF.
inline int PidfdOf(const Napi::Value& value) {
  PidHandle* handle = HeldBy<PidHandle>(value);
  return handle == nullptr ? -1 : handle->pidfd.get();
}

}  // namespace procmuster
