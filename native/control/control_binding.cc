#include "control/control_binding.h"

#include <errno.h>
#include <math.h>

#include <vector>

#include "common/clock.h"
#include "control/action.h"
#include "control/deferred_worker_binding.h"
#include "control/exit_watch_binding.h"
#include "control/identity.h"
#include "control/members_binding.h"
#include "control/pid_handle_binding.h"
#include "control/scheduling.h"
#include "control/target_numbers_binding.h"

namespace procmuster {
namespace {

Action ReadAction(ActionKind kind, const Napi::Float64Array& arguments) {
  Action action;
  action.kind = kind;
  switch (kind) {
    case ActionKind::kSignal:
      action.signal = static_cast<int>(arguments[0]);
      action.has_value = !isnan(arguments[1]);
      if (action.has_value) action.value = static_cast<int64_t>(arguments[1]);
      break;
    case ActionKind::kPriority:
    case ActionKind::kOomScoreAdj:
    case ActionKind::kTimerSlack:
    case ActionKind::kAutogroup:
      action.value = static_cast<int64_t>(arguments[0]);
      break;
    case ActionKind::kResourceLimit:
      action.resource = static_cast<int>(arguments[0]);
      action.set_soft = !isnan(arguments[1]);
      action.set_hard = !isnan(arguments[2]);
      if (action.set_soft) action.soft = ToLimit(arguments[1]);
      if (action.set_hard) action.hard = ToLimit(arguments[2]);
      break;
    case ActionKind::kIoPriority:
      action.io_class = static_cast<int>(arguments[0]);
      action.io_level = static_cast<int>(arguments[1]);
      break;
    case ActionKind::kScheduler:
      action.scheduler = {static_cast<uint32_t>(arguments[0]), static_cast<uint32_t>(arguments[1]),
                          static_cast<int>(arguments[2])};
      break;
    case ActionKind::kAffinity:
      for (size_t i = 0; i < arguments.ElementLength(); i++) {
        size_t processor = static_cast<size_t>(arguments[i]);
        constexpr size_t kBits = sizeof(unsigned long) * 8;
        if (action.processors.size() <= processor / kBits) action.processors.resize(processor / kBits + 1);
        action.processors[processor / kBits] |= 1ul << processor % kBits;
      }
      break;
  }
  return action;
}

// act(targets, kind, arguments, force, leaderOnly, out: Int32Array): errno and step for each target.
Napi::Value ActOnAll(const Napi::CallbackInfo& info) {
  Action action = ReadAction(static_cast<ActionKind>(info[1].As<Napi::Number>().Int32Value()),
                             info[2].As<Napi::Float64Array>());
  action.force = info[3].As<Napi::Boolean>().Value();
  action.leader_only = info[4].As<Napi::Boolean>().Value();
  int32_t* out = info[5].As<Napi::Int32Array>().Data();
  return DeferredWorker::Start(info, {info[5]}, [targets = CopyTargets(info[0]), action, out] {
    for (size_t i = 0; i < targets.size(); i++) {
      Outcome outcome = Act(targets[i], action);
      out[i * 2] = outcome.error;
      out[i * 2 + 1] = static_cast<int32_t>(outcome.step);
    }
  });
}

// readScheduling(targets, tids: Int32Array, values: Float64Array, errors: Int32Array, processors:
// Uint32Array)
Napi::Value ReadSchedulingOfAll(const Napi::CallbackInfo& info) {
  auto tids = info[1].As<Napi::Int32Array>();
  double* values = info[2].As<Napi::Float64Array>().Data();
  int32_t* errors = info[3].As<Napi::Int32Array>().Data();
  uint32_t* processors = info[4].As<Napi::Uint32Array>().Data();
  return DeferredWorker::Start(
      info, {info[2], info[3], info[4]},
      [targets = CopyTargets(info[0]),
       threads = std::vector<pid_t>(tids.Data(), tids.Data() + tids.ElementLength()), values, errors,
       processors] {
        for (size_t i = 0; i < targets.size() && i < threads.size(); i++) {
          ReadScheduling(targets[i], threads[i], reinterpret_cast<SchedulingValues*>(values) + i,
                         reinterpret_cast<SchedulingErrors*>(errors) + i, processors + i * kProcessorWords);
        }
      });
}

// identify(pid, procRoot, live, out: Float64Array): error, startTicks, inode, settled, kernel thread.
// `live`: the root is this kernel's /proc, so that a pidfd vouches for the process that was read;
// EXDEV where it is not of this PID namespace.
Napi::Value Identify(const Napi::CallbackInfo& info) {
  pid_t pid = info[0].As<Napi::Number>().Int32Value();
  bool live = info[2].As<Napi::Boolean>().Value();
  double* out = info[3].As<Napi::Float64Array>().Data();
  return DeferredWorker::Start(info, {info[3]},
                               [pid, root = info[1].As<Napi::String>().Utf8Value(), live, out] {
                                 UniqueFd pidfd;
                                 int error = live ? (ProcHasOwnPids() ? OpenPidfd(pid, &pidfd) : EXDEV) : 0;
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
                                 out[4] = facts.kernel_thread();
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

Napi::Value LockHandle(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), PidfdLock(PidfdOf(info[0])));
}

Napi::Value CloseHandle(const Napi::CallbackInfo& info) {
  if (PidHandle* handle = HeldBy<PidHandle>(info[0])) handle->pidfd.reset();
  return info.Env().Undefined();
}

}  // namespace

void RegisterControl(Napi::Env env, Napi::Object exports) {
  Napi::Object control = Napi::Object::New(env);
  control["act"] = Napi::Function::New(env, ActOnAll, "act");
  control["readScheduling"] = Napi::Function::New(env, ReadSchedulingOfAll, "readScheduling");
  control["identify"] = Napi::Function::New(env, Identify, "identify");
  control["newHandle"] = Napi::Function::New(env, NewHandle, "newHandle");
  control["openHandle"] = Napi::Function::New(env, OpenHandle, "openHandle");
  control["signalHandle"] = Napi::Function::New(env, SignalHandle, "signalHandle");
  control["handleExited"] = Napi::Function::New(env, HandleExited, "handleExited");
  control["lockHandle"] = Napi::Function::New(env, LockHandle, "lockHandle");
  control["closeHandle"] = Napi::Function::New(env, CloseHandle, "closeHandle");
  RegisterExitWatch(env, control);
  RegisterMembers(env, control);
  exports["control"] = control;
}

}  // namespace procmuster
