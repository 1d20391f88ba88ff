#include "control/ioprio_binding.h"

#include "control/thread_settings.h"

namespace procmuster {
namespace {

// setIoPriority(tid, class, level): errno, 0 for success.
Napi::Value SetThreadIoPriority(const Napi::CallbackInfo& info) {
  int error = SetIoPriority(info[0].As<Napi::Number>().Int32Value(), info[1].As<Napi::Number>().Int32Value(),
                            info[2].As<Napi::Number>().Int32Value());
  return Napi::Number::New(info.Env(), error);
}

// getIoPriority(tid): class << 13 | level, or the negative errno.
Napi::Value GetThreadIoPriority(const Napi::CallbackInfo& info) {
  int priority = 0;
  int error = GetIoPriority(info[0].As<Napi::Number>().Int32Value(), &priority);
  return Napi::Number::New(info.Env(), error == 0 ? priority : -error);
}

}  // namespace

void RegisterIoPriority(Napi::Env env, Napi::Object exports) {
  exports.Set("setIoPriority", Napi::Function::New(env, SetThreadIoPriority, "setIoPriority"));
  exports.Set("getIoPriority", Napi::Function::New(env, GetThreadIoPriority, "getIoPriority"));
}

}  // namespace procmuster
