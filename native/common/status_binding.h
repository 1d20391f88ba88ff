// A Status as a JavaScript error with errno, syscall and path; src/errors.ts makes a ProcmusterError of it.
#pragma once

#include <napi.h>
#include <string.h>

#include "common/status.h"

namespace procmuster {

inline Napi::Error ToError(Napi::Env env, const Status& status) {
  Napi::Error error = Napi::Error::New(env, std::string(status.what) + ": " + strerror(status.error));
  error.Set("errno", Napi::Number::New(env, status.error));
  error.Set("syscall", Napi::String::New(env, status.what));
  if (!status.where.empty()) error.Set("path", Napi::String::New(env, status.where));
  return error;
}

}  // namespace procmuster
