#include "control/exit_watch_binding.h"

#include <errno.h>

#include <iterator>
#include <memory>
#include <unordered_map>

#include "control/exit_watch.h"
#include "control/pid_handle_binding.h"

namespace procmuster {
namespace {

// What one environment watches. Lives as long as the functions that share it; its thread ends with the last
// watch, or in the environment's cleanup hook, whichever is first.
class EnvironmentExits : public std::enable_shared_from_this<EnvironmentExits> {
 public:
  EnvironmentExits() : watch_([this](const ExitRecord& record) { Deliver(record); }) {}

  // Positive: the watch's id. Negative: -errno.
  int64_t Add(Napi::Env env, int pidfd, bool reap, bool keep_alive, Napi::Function callback) {
    if (stopped_) return -ECANCELED;
    if (!EnsureChannel(env)) return -ENOMEM;
    uint64_t id = next_id_++;
    if (int error = watch_.Add(id, pidfd, reap)) return -error;
    Watched& watched = watched_[id];
    watched.callback = Napi::Persistent(callback);
    SetKeepAlive(env, id, keep_alive);
    return static_cast<int64_t>(id);
  }

  void Remove(Napi::Env env, uint64_t id) {
    SetKeepAlive(env, id, false);
    if (watched_.erase(id) > 0) watch_.Remove(id);
  }

  // Of a child, which nobody waits for then. False when it has ended: its callback is called all the same.
  bool Leave(Napi::Env env, uint64_t id) {
    if (!watch_.Remove(id)) return false;
    SetKeepAlive(env, id, false);
    watched_.erase(id);
    return true;
  }

  // A watch keeps the event loop alive only while somebody awaits it.
  void SetKeepAlive(Napi::Env env, uint64_t id, bool keep_alive) {
    auto found = watched_.find(id);
    if (found == watched_.end() || found->second.keep_alive == keep_alive) return;
    found->second.keep_alive = keep_alive;
    keep_alive_count_ += keep_alive ? 1 : -1;
    if (keep_alive && keep_alive_count_ == 1) channel_.Ref(env);
    if (!keep_alive && keep_alive_count_ == 0) channel_.Unref(env);
  }

  // Synchronous and idempotent: after it no thread of ours is left and nothing calls into JavaScript.
  void Stop() {
    if (stopped_) return;
    stopped_ = true;
    watch_.Stop();
    watched_.clear();
    if (has_channel_) channel_.Release();
  }

 private:
  struct Watched {
    Napi::FunctionReference callback;
    bool keep_alive = false;
  };
  struct Message {
    std::weak_ptr<EnvironmentExits> owner;
    ExitRecord record;
  };
  static void CallJs(Napi::Env env, Napi::Function, std::nullptr_t*, Message* message) {
    std::unique_ptr<Message> owned(message);
    if (static_cast<napi_env>(env) == nullptr) return;  // the environment is being torn down
    if (auto owner = owned->owner.lock()) owner->Dispatch(env, owned->record);
  }
  using Channel = Napi::TypedThreadSafeFunction<std::nullptr_t, Message, CallJs>;

  bool EnsureChannel(Napi::Env env) {
    if (has_channel_) return true;
    channel_ = Channel::New(env, "procmuster exit watch", 0, 1);
    if (static_cast<napi_threadsafe_function>(channel_) == nullptr) return false;
    channel_.Unref(env);
    has_channel_ = true;
    // Added after the channel's own hook, so it runs before that one: hooks run last in, first out.
    env.AddCleanupHook([self = shared_from_this()] { self->Stop(); });
    return true;
  }

  // On the watching thread.
  void Deliver(const ExitRecord& record) {
    auto* message = new Message{weak_from_this(), record};
    if (channel_.NonBlockingCall(message) != napi_ok) delete message;
  }

  void Dispatch(Napi::Env env, const ExitRecord& record) {
    auto found = watched_.find(record.id);
    if (found == watched_.end()) return;  // nobody wants to know any more
    Napi::FunctionReference callback = std::move(found->second.callback);
    SetKeepAlive(env, record.id, false);
    watched_.erase(record.id);
    auto microseconds = [](const struct timeval& time) { return time.tv_sec * 1e6 + time.tv_usec; };
    auto number = [env](auto value) { return Napi::Number::New(env, static_cast<double>(value)); };
    const struct rusage& usage = record.usage;
    napi_value arguments[] = {
        Napi::Boolean::New(env, record.reaped),
        Napi::Boolean::New(env, record.by_signal),
        number(record.status),
        Napi::Boolean::New(env, record.core_dumped),
        number(record.reaped_at_ms),
        number(microseconds(usage.ru_utime)),
        number(microseconds(usage.ru_stime)),
        number(static_cast<double>(usage.ru_maxrss) * 1024),
        number(usage.ru_minflt),
        number(usage.ru_majflt),
        number(usage.ru_nvcsw),
        number(usage.ru_nivcsw),
    };
    // The status is of no use: a worker thread that is being terminated has nobody left to be told.
    napi_call_function(env, env.Undefined(), callback.Value(), std::size(arguments), arguments, nullptr);
  }

  ExitWatch watch_;
  Channel channel_;
  std::unordered_map<uint64_t, Watched> watched_;
  uint64_t next_id_ = 1;
  int keep_alive_count_ = 0;
  bool has_channel_ = false;
  bool stopped_ = false;
};

}  // namespace

void RegisterExitWatch(Napi::Env env, Napi::Object control) {
  auto exits = std::make_shared<EnvironmentExits>();
  // watchExit(handle, reap, keepAlive, callback) -> id, or -errno
  control["watchExit"] = Napi::Function::New(
      env,
      [exits](const Napi::CallbackInfo& info) -> Napi::Value {
        int64_t id = exits->Add(info.Env(), PidfdOf(info[0]), info[1].As<Napi::Boolean>().Value(),
                                info[2].As<Napi::Boolean>().Value(), info[3].As<Napi::Function>());
        return Napi::Number::New(info.Env(), static_cast<double>(id));
      },
      "watchExit");
  control["unwatchExit"] = Napi::Function::New(
      env,
      [exits](const Napi::CallbackInfo& info) {
        exits->Remove(info.Env(), static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value()));
      },
      "unwatchExit");
  control["leaveExit"] = Napi::Function::New(
      env,
      [exits](const Napi::CallbackInfo& info) -> Napi::Value {
        uint64_t id = static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value());
        return Napi::Boolean::New(info.Env(), exits->Leave(info.Env(), id));
      },
      "leaveExit");
  control["keepExitAlive"] = Napi::Function::New(
      env,
      [exits](const Napi::CallbackInfo& info) {
        exits->SetKeepAlive(info.Env(), static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value()),
                            info[1].As<Napi::Boolean>().Value());
      },
      "keepExitAlive");
}

}  // namespace procmuster
