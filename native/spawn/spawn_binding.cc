#include "spawn/spawn_binding.h"

#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "control/deferred_worker_binding.h"
#include "control/identity.h"
#include "control/pid_handle_binding.h"
#include "spawn/account_binding.h"
#include "spawn/gated_child.h"
#include "spawn/stdio.h"

namespace procmuster {
namespace {

struct Stdio {
  UniqueFd fds[3];
};

struct Gate {
  std::shared_ptr<GatedChild> child;
};

// Strings that each end with a zero byte, as in /proc/<pid>/cmdline.
std::vector<std::string> SplitZeros(const Napi::Value& value) {
  Napi::Uint8Array bytes = value.As<Napi::Uint8Array>();
  const char* at = reinterpret_cast<const char*>(bytes.Data());
  const char* end = at + bytes.ByteLength();
  std::vector<std::string> strings;
  while (at < end) {
    size_t length = strnlen(at, static_cast<size_t>(end - at));
    strings.emplace_back(at, length);
    at += length + 1;
  }
  return strings;
}

std::string ToBytes(const Napi::Value& value) {
  Napi::Uint8Array bytes = value.As<Napi::Uint8Array>();
  return {reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength()};
}

constexpr int kFieldsPerDescriptor = 8;

void PutSource(const StdioSource& source, double* out) {
  out[0] = source.error;
  out[1] = source.same_open;
  out[2] = source.mode;
  out[3] = static_cast<double>(source.device);
  out[4] = static_cast<double>(source.inode);
  out[5] = source.flags;
  out[6] = static_cast<double>(source.position);
  out[7] = source.owner;
}

Napi::Value NewStdio(const Napi::CallbackInfo& info) {
  return Napi::External<Stdio>::New(info.Env(), new Stdio, [](Napi::Env, Stdio* owned) { delete owned; });
}

Napi::Value CloseStdio(const Napi::CallbackInfo& info) {
  Stdio* stdio = HeldBy<Stdio>(info[0]);
  if (stdio == nullptr) return {};
  for (UniqueFd& fd : stdio->fds) fd.reset();
  return info.Env().Undefined();
}

// takeStdio(stdio, processHandle, pid, out: Float64Array(24)): for each of 0 to 2 the fields of PutSource.
Napi::Value TakeStdio(const Napi::CallbackInfo& info) {
  Stdio* stdio = HeldBy<Stdio>(info[0]);
  if (stdio == nullptr) return {};
  int pidfd = PidfdOf(info[1]);
  int pid = info[2].As<Napi::Number>().Int32Value();
  double* out = info[3].As<Napi::Float64Array>().Data();
  return DeferredWorker::Start(info, {info[0], info[1], info[3]}, [=] {
    for (int i = 0; i < 3; i++) {
      PutSource(TakeDescriptor(pidfd, pid, i, &stdio->fds[i]), out + i * kFieldsPerDescriptor);
    }
  });
}

// reopenStdio(stdio, number, path: Uint8Array, flags, device, inode, owner, position, out: Float64Array(8))
Napi::Value ReopenStdio(const Napi::CallbackInfo& info) {
  Stdio* stdio = HeldBy<Stdio>(info[0]);
  if (stdio == nullptr) return {};
  int number = info[1].As<Napi::Number>().Int32Value();
  std::string path = ToBytes(info[2]);
  int flags = info[3].As<Napi::Number>().Int32Value();
  FileIdentity file = {info[4].As<Napi::Number>().DoubleValue(), info[5].As<Napi::Number>().DoubleValue()};
  uint32_t owner = info[6].As<Napi::Number>().Uint32Value();
  int64_t position = info[7].As<Napi::Number>().Int64Value();
  double* out = info[8].As<Napi::Float64Array>().Data();
  if (number < 0 || number > 2) return info.Env().Undefined();
  return DeferredWorker::Start(info, {info[0], info[8]}, [=] {
    PutSource(ReopenDescriptor(path.c_str(), flags, file, owner, position, &stdio->fds[number]), out);
  });
}

// copyStdio(stdio, number, fd, blocking) -> errno
Napi::Value CopyStdio(const Napi::CallbackInfo& info) {
  Stdio* stdio = HeldBy<Stdio>(info[0]);
  if (stdio == nullptr) return {};
  int number = info[1].As<Napi::Number>().Int32Value();
  if (number < 0 || number > 2) return Napi::Number::New(info.Env(), EINVAL);
  int error = CopyDescriptor(info[2].As<Napi::Number>().Int32Value(), info[3].As<Napi::Boolean>().Value(),
                             &stdio->fds[number]);
  return Napi::Number::New(info.Env(), error);
}

// joinStdio(stdio, from, to) -> errno: what the one is, the other one is too.
Napi::Value JoinStdio(const Napi::CallbackInfo& info) {
  Stdio* stdio = HeldBy<Stdio>(info[0]);
  if (stdio == nullptr) return {};
  int from = info[1].As<Napi::Number>().Int32Value();
  int to = info[2].As<Napi::Number>().Int32Value();
  if (from < 0 || from > 2 || to < 0 || to > 2) return Napi::Number::New(info.Env(), EINVAL);
  stdio->fds[to].reset();
  if (!stdio->fds[from].valid()) return Napi::Number::New(info.Env(), 0);
  int error = CopyDescriptor(stdio->fds[from].get(), false, &stdio->fds[to]);
  return Napi::Number::New(info.Env(), error);
}

// pipeStdio(stdio, number) -> our end, which is the caller's from then on, or -errno
Napi::Value PipeStdio(const Napi::CallbackInfo& info) {
  Stdio* stdio = HeldBy<Stdio>(info[0]);
  if (stdio == nullptr) return {};
  int number = info[1].As<Napi::Number>().Int32Value();
  if (number < 0 || number > 2) return Napi::Number::New(info.Env(), -EINVAL);
  UniqueFd ours;
  int error = MakePipe(number == 0, &stdio->fds[number], &ours);
  return Napi::Number::New(info.Env(), error == 0 ? ours.release() : -error);
}

// newGate(stdio, path, directory, arguments, environment, numbers, groups, limits, capabilities, namedPath,
// processors): a child not yet made.
Napi::Value NewGate(const Napi::CallbackInfo& info) {
  Stdio* stdio = HeldBy<Stdio>(info[0]);
  if (stdio == nullptr) return {};
  Napi::Float64Array numbers = info[5].As<Napi::Float64Array>();
  Napi::Uint32Array groups = info[6].As<Napi::Uint32Array>();
  Napi::Float64Array limits = info[7].As<Napi::Float64Array>();
  Napi::BigUint64Array capabilities = info[8].As<Napi::BigUint64Array>();
  SpawnPlan plan;
  for (int i = 0; i < 3; i++) plan.stdio[i] = stdio->fds[i].get();
  plan.path = ToBytes(info[1]);
  plan.directory = ToBytes(info[2]);
  plan.arguments = SplitZeros(info[3]);
  plan.environment = SplitZeros(info[4]);
  plan.executable = {numbers[0], numbers[1]};
  plan.directory_identity = {numbers[2], numbers[3]};
  plan.change_user = numbers[4] != 0;
  plan.uid = static_cast<uid_t>(numbers[5]);
  plan.gid = static_cast<gid_t>(numbers[6]);
  plan.umask = static_cast<mode_t>(numbers[7]);
  plan.nice = static_cast<int>(numbers[8]);
  plan.io_priority = static_cast<int>(numbers[9]);
  plan.no_new_privileges = numbers[10] != 0;
  plan.groups.assign(groups.Data(), groups.Data() + groups.ElementLength());
  plan.place = static_cast<SpawnPlace>(static_cast<int>(numbers[11]));
  plan.allow_setuid = numbers[12] != 0;
  plan.set_limits = limits.ElementLength() == kResourceCount * 2;
  for (int i = 0; plan.set_limits && i < kResourceCount; i++) {
    plan.limits[i] = {ToLimit(limits[static_cast<size_t>(i) * 2]),
                      ToLimit(limits[static_cast<size_t>(i) * 2 + 1])};
  }
  plan.bounding = capabilities[0];
  plan.inheritable = capabilities[1];
  plan.ambient = capabilities[2];
  plan.named_path = ToBytes(info[9]);
  Napi::Uint8Array processors = info[10].As<Napi::Uint8Array>();
  plan.processors.assign(processors.Data(), processors.Data() + processors.ByteLength());
  auto* gate = new Gate{std::make_shared<GatedChild>(std::move(plan))};
  return Napi::External<Gate>::New(info.Env(), gate, [](Napi::Env, Gate* owned) {
    owned->child->Cancel();
    delete owned;
  });
}

// startGate(gate, stdio, processHandle, out: Float64Array(4)): error, step, pid, warnings; fills the handle.
Napi::Value StartGate(const Napi::CallbackInfo& info) {
  Gate* gate = HeldBy<Gate>(info[0]);
  if (gate == nullptr) return {};
  auto child = gate->child;
  PidHandle* handle = HeldBy<PidHandle>(info[2]);
  if (handle == nullptr) return {};
  double* out = info[3].As<Napi::Float64Array>().Data();
  return DeferredWorker::Start(info, {info[0], info[1], info[2], info[3]}, [child, handle, out] {
    SpawnOutcome outcome = child->Start();
    if (outcome.error == 0) handle->pidfd = child->DuplicatePidfd();
    out[0] = outcome.error;
    out[1] = static_cast<double>(outcome.step);
    out[2] = child->pid();
    out[3] = child->warnings();
  });
}

// openGate(gate, out: Float64Array(2)): error and step, once the program is executed.
Napi::Value OpenGate(const Napi::CallbackInfo& info) {
  Gate* gate = HeldBy<Gate>(info[0]);
  if (gate == nullptr) return {};
  auto child = gate->child;
  double* out = info[1].As<Napi::Float64Array>().Data();
  return DeferredWorker::Start(info, {info[0], info[1]}, [child, out] {
    SpawnOutcome outcome = child->Open();
    out[0] = outcome.error;
    out[1] = static_cast<double>(outcome.step);
  });
}

Napi::Value CancelGate(const Napi::CallbackInfo& info) {
  if (Gate* gate = HeldBy<Gate>(info[0])) gate->child->Cancel();
  return info.Env().Undefined();
}

// fileCapabilities(path: Uint8Array, out: BigUint64Array): what executing the file permits beyond the user's
// own. Says 0 where there are none; all bits when it cannot be told.
Napi::Value FileCapabilities(const Napi::CallbackInfo& info) {
  uint64_t* out = info[1].As<Napi::BigUint64Array>().Data();
  struct vfs_ns_cap_data data = {};
  ssize_t size = getxattr(ToBytes(info[0]).c_str(), "security.capability", &data, sizeof(data));
  bool none = size < 0 && (errno == ENODATA || errno == ENOTSUP);
  if (none) {
    out[0] = 0;
  } else if (size < static_cast<ssize_t>(sizeof(struct vfs_cap_data))) {
    out[0] = ~0ull;
  } else {
    out[0] = le32toh(data.data[0].permitted) | static_cast<uint64_t>(le32toh(data.data[1].permitted)) << 32;
  }
  return info.Env().Undefined();
}

// becomeProgram(path: Uint8Array, args: Uint8Array) -> errno: execve(2) of this process, which returns only
// when it fails. Its children stay its own.
Napi::Value BecomeProgram(const Napi::CallbackInfo& info) {
  std::string path = ToBytes(info[0]);
  std::vector<std::string> words = SplitZeros(info[1]);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  char* environment[] = {nullptr};
  execve(path.c_str(), arguments.data(), environment);
  return Napi::Number::New(info.Env(), errno);
}

}  // namespace

void RegisterSpawn(Napi::Env env, Napi::Object exports) {
  Napi::Object spawn = Napi::Object::New(env);
  spawn["newStdio"] = Napi::Function::New(env, NewStdio, "newStdio");
  spawn["closeStdio"] = Napi::Function::New(env, CloseStdio, "closeStdio");
  spawn["takeStdio"] = Napi::Function::New(env, TakeStdio, "takeStdio");
  spawn["reopenStdio"] = Napi::Function::New(env, ReopenStdio, "reopenStdio");
  spawn["fileCapabilities"] = Napi::Function::New(env, FileCapabilities, "fileCapabilities");
  spawn["copyStdio"] = Napi::Function::New(env, CopyStdio, "copyStdio");
  spawn["joinStdio"] = Napi::Function::New(env, JoinStdio, "joinStdio");
  spawn["pipeStdio"] = Napi::Function::New(env, PipeStdio, "pipeStdio");
  spawn["newGate"] = Napi::Function::New(env, NewGate, "newGate");
  spawn["startGate"] = Napi::Function::New(env, StartGate, "startGate");
  spawn["openGate"] = Napi::Function::New(env, OpenGate, "openGate");
  spawn["cancelGate"] = Napi::Function::New(env, CancelGate, "cancelGate");
  spawn["becomeProgram"] = Napi::Function::New(env, BecomeProgram, "becomeProgram");
  RegisterAccounts(env, spawn);
  exports["spawn"] = spawn;
}

}  // namespace procmuster
