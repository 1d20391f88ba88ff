#include <napi.h>

#include "bpf/kernel_program.h"
#include "cgroups/oom_event_binding.h"
#include "control/control_binding.h"
#include "control/ioprio_binding.h"
#include "events/events_binding.h"
#include "inspect/inspect_binding.h"
#include "ipc/ipc_binding.h"
#include "journal/file_lock_binding.h"
#include "source/bpf/walk_binding.h"
#include "source/sampler_binding.h"
#include "spawn/spawn_binding.h"
#include "table/layout_binding.h"

namespace procmuster {
namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  Napi::Object bpf = Napi::Object::New(env);
  bpf["built"] = Napi::Boolean::New(env, BpfBuilt());
  exports["bpf"] = bpf;
  RegisterLayout(env, exports);
  RegisterFileLock(env, exports);
  RegisterIoPriority(env, exports);
  RegisterSampler(env, exports);
  RegisterTimeWalk(env, exports);
  RegisterControl(env, exports);
  RegisterOomEvent(env, exports);
  RegisterInspect(env, exports);
  RegisterIpc(env, exports);
  RegisterSpawn(env, exports);
  RegisterEvents(env, exports);
  return exports;
}

}  // namespace
}  // namespace procmuster

static Napi::Object InitAddon(Napi::Env env, Napi::Object exports) { return procmuster::Init(env, exports); }

NODE_API_MODULE(procmuster, InitAddon)
