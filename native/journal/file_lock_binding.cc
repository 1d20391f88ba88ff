#include "journal/file_lock_binding.h"

#include <sys/file.h>

#include <cerrno>

namespace procmuster {

namespace {

// flock(2), not a lock file: the kernel drops it with the descriptor, so a killed engine leaves nothing stale
// behind, and unlike fcntl locks it also tells two engines of one process apart.
Napi::Value TryLockFile(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsNumber()) {
    Napi::TypeError::New(env, "tryLockFile needs a file descriptor").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const int fd = info[0].As<Napi::Number>().Int32Value();
  int result;
  do {
    result = flock(fd, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  return Napi::Number::New(env, result == 0 ? 0 : errno);
}

}  // namespace

void RegisterFileLock(Napi::Env env, Napi::Object exports) {
  exports.Set("tryLockFile", Napi::Function::New(env, TryLockFile, "tryLockFile"));
}

}  // namespace procmuster
