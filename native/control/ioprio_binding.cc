#include "control/ioprio_binding.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace procmuster {
namespace {

constexpr int kWhoProcess = 1;  // IOPRIO_WHO_PROCESS of linux/ioprio.h: in truth one thread
constexpr int kClassShift = 13;

// setIoPriority(tid, class, level): errno, 0 for success. glibc has no wrapper.
Napi::Value SetIoPriority(const Napi::CallbackInfo& info) {
  int tid = info[0].As<Napi::Number>().Int32Value();
  int io_class = info[1].As<Napi::Number>().Int32Value();
  int level = info[2].As<Napi::Number>().Int32Value();
  long result = syscall(SYS_ioprio_set, kWhoProcess, tid, (io_class << kClassShift) | level);
  return Napi::Number::New(info.Env(), result == 0 ? 0 : errno);
}

// getIoPriority(tid): class << 13 | level, or the negative errno.
Napi::Value GetIoPriority(const Napi::CallbackInfo& info) {
  int tid = info[0].As<Napi::Number>().Int32Value();
  long result = syscall(SYS_ioprio_get, kWhoProcess, tid);
  return Napi::Number::New(info.Env(), result >= 0 ? static_cast<int>(result) : -errno);
}

}  // namespace

void RegisterIoPriority(Napi::Env env, Napi::Object exports) {
  exports.Set("setIoPriority", Napi::Function::New(env, SetIoPriority, "setIoPriority"));
  exports.Set("getIoPriority", Napi::Function::New(env, GetIoPriority, "getIoPriority"));
}

}  // namespace procmuster
