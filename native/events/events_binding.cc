#include "events/events_binding.h"

#include <errno.h>
#include <string.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "control/deferred_worker_binding.h"
#include "events/event.h"
#include "events/lifecycle_source.h"
#include "events/process_connector.h"
#include "events/waiter.h"

namespace procmuster {
namespace {

// new EventFeed(source, wanted, bytes, wake)   0: bpf, 1: netlink; bits 1 << type
//   .open(out: Int32Array(1), refusal: Uint8Array): Promise   then `out` holds an errno, `refusal` text
//   .arm(): errno       asks for one call of wake() once there is something to drain
//   .drain(cells: Float64Array): number   of events, kEventCells each
//   .lost(): number
//   .close()           idempotent
// Only while it is armed does it hold `wake`, and with it whatever reads: a stream that was forgotten is
// collected.
class EventFeed : public Napi::ObjectWrap<EventFeed> {
 public:
  static Napi::Function Class(Napi::Env env) {
    return DefineClass(env, "EventFeed",
                       {InstanceMethod<&EventFeed::Open>("open"), InstanceMethod<&EventFeed::Arm>("arm"),
                        InstanceMethod<&EventFeed::Drain>("drain"), InstanceMethod<&EventFeed::Lost>("lost"),
                        InstanceMethod<&EventFeed::Close>("close")});
  }

  explicit EventFeed(const Napi::CallbackInfo& info) : Napi::ObjectWrap<EventFeed>(info), env_(info.Env()) {
    uint32_t wanted = info[1].As<Napi::Number>().Uint32Value();
    uint32_t bytes = info[2].As<Napi::Number>().Uint32Value();
    if (info[0].As<Napi::Number>().Uint32Value() == 0) {
      source_ = std::make_shared<LifecycleSource>(wanted, bytes);
    } else {
      source_ = std::make_shared<ProcessConnector>(wanted, bytes);
    }
    wake_ = Napi::Weak(info[3].As<Napi::Function>());
  }

  ~EventFeed() override { Shutdown(); }

 private:
  static void CallJs(Napi::Env env, Napi::Function, EventFeed* self, std::nullptr_t*);
  using Channel = Napi::TypedThreadSafeFunction<EventFeed, std::nullptr_t, &EventFeed::CallJs>;

  Napi::Value Open(const Napi::CallbackInfo& info) {
    auto out = info[0].As<Napi::Int32Array>();
    auto refusal = info[1].As<Napi::Uint8Array>();
    // The source is shared with the work, which may outlast this object where the environment ends.
    return DeferredWorker::Start(
        info, {info.This(), out, refusal},
        [source = source_, error = out.Data(), text = refusal.Data(), size = refusal.ByteLength()] {
          std::string words;
          *error = source->Open(&words);
          memcpy(text, words.data(), std::min(size, words.size()));
        });
  }

  Napi::Value Arm(const Napi::CallbackInfo& info) {
    int error = closed_ ? ECANCELED : waiter_ ? 0 : Start(info.Env());
    if (error == 0 && !armed_) {
      armed_ = true;
      wake_.Ref();
      channel_.Ref(info.Env());
      waiter_->Arm();
    }
    return Napi::Number::New(info.Env(), error);
  }

  int Start(Napi::Env env) {
    channel_ = Channel::New(env, "procmuster events", 0, 1, this);
    if (static_cast<napi_threadsafe_function>(channel_) == nullptr) return ENOMEM;
    channel_.Unref(env);
    auto waiter = std::make_unique<EventWaiter>(source_.get(), [this] { channel_.NonBlockingCall(); });
    if (int error = waiter->Start()) {
      channel_.Abort();
      return error;
    }
    waiter_ = std::move(waiter);
    // Runs before the channel's own hook: hooks run last in, first out.
    napi_add_env_cleanup_hook(env, OnEnvironmentEnd, this);
    return 0;
  }

  Napi::Value Drain(const Napi::CallbackInfo& info) {
    auto cells = info[0].As<Napi::Float64Array>();
    size_t count = closed_ ? 0 : source_->Drain(cells.Data(), cells.ElementLength() / kEventCells);
    return Napi::Number::New(info.Env(), static_cast<double>(count));
  }

  Napi::Value Lost(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), closed_ ? lost_ : source_->lost());
  }

  void Close(const Napi::CallbackInfo&) { Shutdown(); }

  static void OnEnvironmentEnd(void* self) { static_cast<EventFeed*>(self)->Shutdown(); }

  // Synchronous: after it no thread of ours is left and nothing calls into JavaScript.
  void Shutdown() {
    if (closed_) return;
    closed_ = true;
    lost_ = source_->lost();
    if (waiter_) {
      waiter_.reset();
      channel_.Abort();  // a call that is on its way must not find this object gone
      napi_remove_env_cleanup_hook(env_, OnEnvironmentEnd, this);
      if (std::exchange(armed_, false)) wake_.Unref();
    }
    source_.reset();
  }

  Napi::Env env_;
  std::shared_ptr<EventSource> source_;
  std::unique_ptr<EventWaiter> waiter_;
  Channel channel_;
  Napi::FunctionReference wake_;
  double lost_ = 0;  // when it was closed
  bool armed_ = false;
  bool closed_ = false;
};

void EventFeed::CallJs(Napi::Env env, Napi::Function, EventFeed* self, std::nullptr_t*) {
  if (static_cast<napi_env>(env) == nullptr || !self->armed_) return;  // closed meanwhile
  self->armed_ = false;
  self->channel_.Unref(env);
  Napi::Function wake = self->wake_.Value();
  self->wake_.Unref();
  // The status is of no use: a worker thread that is being terminated has nobody left to be told.
  napi_call_function(env, env.Undefined(), wake, 0, nullptr, nullptr);
}

}  // namespace

void RegisterEvents(Napi::Env env, Napi::Object exports) { exports.Set("EventFeed", EventFeed::Class(env)); }

}  // namespace procmuster
