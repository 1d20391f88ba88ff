#include "control/control_binding.h"

#include <errno.h>
#include <math.h>

#include <vector>

#include "common/clock.h"
#include "control/action.h"
#include "control/deferred_worker.h"
#include "control/exit_watch_binding.h"
#include "control/identity.h"
#include "control/pid_handle.h"

namespace procmuster {
namespace {

// Four numbers each: pid, startTicks, inode (0 = not known), settled.
constexpr size_t kNumbersPerTarget = 4;

Target ReadTarget(const double* numbers) {
  return {static_cast<pid_t>(numbers[0]), static_cast<uint64_t>(numbers[1]),
          static_cast<uint64_t>(numbers[2]), numbers[3] != 0};
}

// Copied, since the caller may change the array while the pool thread works.
std::vector<Target> CopyTargets(const Napi::Value& value) {
  Napi::Float64Array array = value.As<Napi::Float64Array>();
  std::vector<Target> targets;
  targets.reserve(array.ElementLength() / kNumbersPerTarget);
  for (size_t i = 0; i + kNumbersPerTarget <= array.ElementLength(); i += kNumbersPerTarget) {
    targets.push_back(ReadTarget(array.Data() + i));
  }
  return targets;
}

// act(targets, kind, arguments, force, out: Int32Array): errno and step for each target.
Napi::Value ActOnAll(const Napi::CallbackInfo& info) {
  Napi::Float64Array arguments = info[2].As<Napi::Float64Array>();
  Action action;
  action.kind = static_cast<ActionKind>(info[1].As<Napi::Number>().Int32Value());
  action.force = info[3].As<Napi::Boolean>().Value();
  switch (action.kind) {
    case ActionKind::kSignal:
      action.signal = static_cast<int>(arguments[0]);
      break;
    case ActionKind::kPriority:
      action.nice = static_cast<int>(arguments[0]);
      break;
    case ActionKind::kResourceLimit:
      action.resource = static_cast<int>(arguments[0]);
      action.set_soft = !isnan(arguments[1]);
      action.set_hard = !isnan(arguments[2]);
      if (action.set_soft) action.soft = ToLimit(arguments[1]);
      if (action.set_hard) action.hard = ToLimit(arguments[2]);
      break;
  }
  int32_t* out = info[4].As<Napi::Int32Array>().Data();
  return DeferredWorker::Start(info, {info[4]}, [targets = CopyTargets(info[0]), action, out] {
    for (size_t i = 0; i < targets.size(); i++) {
      Outcome outcome = Act(targets[i], action);
      out[i * 2] = outcome.error;
      out[i * 2 + 1] = static_cast<int32_t>(outcome.step);
    }
  });
}

// identify(pid, procRoot, live, out: Float64Array): error, startTicks, inode, settled.
// `live`: the root is this kernel's /proc, so that a pidfd vouches for the process that was read.
Napi::Value Identify(const Napi::CallbackInfo& info) {
  pid_t pid = info[0].As<Napi::Number>().Int32Value();
  bool live = info[2].As<Napi::Boolean>().Value();
  double* out = info[3].As<Napi::Float64Array>().Data();
  return DeferredWorker::Start(info, {info[3]},
                               [pid, root = info[1].As<Napi::String>().Utf8Value(), live, out] {
                                 UniqueFd pidfd;
                                 int error = live ? OpenPidfd(pid, &pidfd) : 0;
                                 out[0] = error;
                                 if (error != 0) return;
                                 uint64_t now_ticks = NowTicks();
                                 StatFacts facts;
                                 error = ReadStatFacts(root.c_str(), pid, &facts);
                                 // Were the pid reused in between, then this one is reaped.
                                 if (error == 0 && live && PidfdSignal(pidfd.get(), 0) == ESRCH)
                                   error = ESRCH;
                                 out[0] = error;
                                 out[1] = static_cast<double>(facts.start_ticks);
                                 out[2] = live ? static_cast<double>(PidfdInode(pidfd.get())) : 0;
                                 out[3] = now_ticks > facts.start_ticks;
                               });
}

// A handle without a pidfd, for openHandle to fill.
Napi::Value NewHandle(const Napi::CallbackInfo& info) { return WrapPidfd(info.Env(), UniqueFd()); }

// openHandle(handle, target, out: Int32Array): error, step, protected.
Napi::Value OpenHandle(const Napi::CallbackInfo& info) {
  PidHandle* handle = HeldBy<PidHandle>(info[0]);
  if (handle == nullptr) return {};
  Target target = ReadTarget(info[1].As<Napi::Float64Array>().Data());
  int32_t* out = info[2].As<Napi::Int32Array>().Data();
  return DeferredWorker::Start(info, {info[0], info[2]}, [handle, target, out] {
    StatFacts facts;
    Outcome outcome = OpenVerified(target, &handle->pidfd, &facts);
    if (!outcome.ok()) handle->pidfd.reset();
    out[0] = outcome.error;
    out[1] = static_cast<int32_t>(outcome.step);
    out[2] = IsProtected(target.pid, facts);
  });
}

Napi::Value SignalHandle(const Napi::CallbackInfo& info) {
  int error = PidfdSignal(PidfdOf(info[0]), info[1].As<Napi::Number>().Int32Value());
  return Napi::Number::New(info.Env(), error);
}

Napi::Value HandleExited(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), PidfdExited(PidfdOf(info[0])));
}

Napi::Value CloseHandle(const Napi::CallbackInfo& info) {
  if (PidHandle* handle = HeldBy<PidHandle>(info[0])) handle->pidfd.reset();
  return info.Env().Undefined();
}

}  // namespace

void RegisterControl(Napi::Env env, Napi::Object exports) {
  Napi::Object control = Napi::Object::New(env);
  control["act"] = Napi::Function::New(env, ActOnAll, "act");
  control["identify"] = Napi::Function::New(env, Identify, "identify");
  control["newHandle"] = Napi::Function::New(env, NewHandle, "newHandle");
  control["openHandle"] = Napi::Function::New(env, OpenHandle, "openHandle");
  control["signalHandle"] = Napi::Function::New(env, SignalHandle, "signalHandle");
  control["handleExited"] = Napi::Function::New(env, HandleExited, "handleExited");
  control["closeHandle"] = Napi::Function::New(env, CloseHandle, "closeHandle");
  RegisterExitWatch(env, control);
  exports["control"] = control;
}

}  // namespace procmuster
