// A piece of work on a pool thread whose end settles a promise.
#pragma once

#include <napi.h>

#include <functional>
#include <utility>
#include <vector>

namespace procmuster {

// Results go into a typed array that the caller brought along, written by the pool thread and looked at once
// the promise is settled. Making them afterwards would crash: a worker thread can be terminated between any
// two calls, and from then on every creating call of Node-API fails and hands out null values.
class DeferredWorker : public Napi::AsyncWorker {
 public:
  using Run = std::function<void()>;  // must not touch JavaScript

  // Each of `keep` stays alive until the work is done.
  static Napi::Value Start(const Napi::CallbackInfo& info, std::initializer_list<Napi::Value> keep, Run run) {
    Napi::Env env = info.Env();
    napi_deferred deferred;
    napi_value promise;
    if (napi_create_promise(env, &deferred, &promise) != napi_ok) return {};
    auto* worker = new DeferredWorker(env, deferred, std::move(run));
    for (const Napi::Value& value : keep) {
      worker->kept_.push_back(Napi::Persistent(value.As<Napi::Object>()));
    }
    worker->Queue();
    return {env, promise};
  }

 protected:
  void Execute() override { run_(); }
  // The statuses are of no use: where these fail, nobody is left to be told.
  void OnOK() override {
    napi_value undefined;
    if (napi_get_undefined(Env(), &undefined) == napi_ok) napi_resolve_deferred(Env(), deferred_, undefined);
  }
  void OnError(const Napi::Error&) override { OnOK(); }

 private:
  DeferredWorker(Napi::Env env, napi_deferred deferred, Run run)
      : Napi::AsyncWorker(env), deferred_(deferred), run_(std::move(run)) {}

  napi_deferred deferred_;
  Run run_;
  std::vector<Napi::ObjectReference> kept_;
};

}  // namespace procmuster
