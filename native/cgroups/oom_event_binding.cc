#include "cgroups/oom_event_binding.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <string>

#include "control/pid_handle_binding.h"

namespace procmuster {
namespace {

// An errno, 0 for success. cgroup-v1/memory.rst, "OOM Control".
int OpenOomEvent(const std::string& directory, UniqueFd* event) {
  event->reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event->valid()) return errno;
  UniqueFd oom(open((directory + "/memory.oom_control").c_str(), O_RDONLY | O_CLOEXEC));
  if (!oom.valid()) return errno;
  UniqueFd control(open((directory + "/cgroup.event_control").c_str(), O_WRONLY | O_CLOEXEC));
  if (!control.valid()) return errno;
  char text[32];
  int length = snprintf(text, sizeof(text), "%d %d", event->get(), oom.get());
  return write(control.get(), text, static_cast<size_t>(length)) < 0 ? errno : 0;
}

// openOomEvent(directory): a handle that becomes readable, or an errno.
Napi::Value OpenEvent(const Napi::CallbackInfo& info) {
  UniqueFd event;
  int error = OpenOomEvent(info[0].As<Napi::String>().Utf8Value(), &event);
  if (error != 0) return Napi::Number::New(info.Env(), error);
  return WrapPidfd(info.Env(), std::move(event));
}

// drainEvent(handle): whether there was something.
Napi::Value DrainEvent(const Napi::CallbackInfo& info) {
  uint64_t count;
  ssize_t size = read(PidfdOf(info[0]), &count, sizeof(count));
  return Napi::Boolean::New(info.Env(), size == sizeof(count));
}

}  // namespace

void RegisterOomEvent(Napi::Env env, Napi::Object exports) {
  Napi::Object cgroups = Napi::Object::New(env);
  cgroups["openOomEvent"] = Napi::Function::New(env, OpenEvent, "openOomEvent");
  cgroups["drainEvent"] = Napi::Function::New(env, DrainEvent, "drainEvent");
  exports["cgroups"] = cgroups;
}

}  // namespace procmuster
