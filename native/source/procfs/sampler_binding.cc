#include "source/procfs/sampler_binding.h"

#include <errno.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "common/status_binding.h"
#include "source/procfs/scan.h"

namespace procmuster {
namespace {

struct SampleResult {
  Status status;
  uint32_t capacity_needed = 0;
};

// new ProcfsSampler({ procRoot, io, status, threads, descriptors })
//   .attach(view0, view1, capacity, offsets)   Uint8Array views over SharedArrayBuffers; TableLayout's
//   offsets .sample(sequence): Promise<number>         0, or the capacity that it takes .close() idempotent;
//   stops a running scan
// It has a thread of its own, because the pool that Node shares with the program's own file and DNS calls can
// be busy for seconds, and a watchdog must not be late for that.
class ProcfsSampler : public Napi::ObjectWrap<ProcfsSampler> {
 public:
  static Napi::Function Class(Napi::Env env) {
    return DefineClass(
        env, "ProcfsSampler",
        {InstanceMethod<&ProcfsSampler::Attach>("attach"), InstanceMethod<&ProcfsSampler::Sample>("sample"),
         InstanceMethod<&ProcfsSampler::Close>("close")});
  }

  explicit ProcfsSampler(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<ProcfsSampler>(info), env_(info.Env()) {
    Napi::Object given = info[0].As<Napi::Object>();
    ScanOptions options;
    options.proc_root = given.Get("procRoot").As<Napi::String>().Utf8Value();
    options.read_io = given.Get("io").ToBoolean();
    options.read_status = given.Get("status").ToBoolean();
    options.threads = given.Get("threads").As<Napi::Number>().Uint32Value();
    options.descriptor_budget = given.Get("descriptors").As<Napi::Number>().Uint32Value();
    scanner_ = std::make_unique<Scanner>(std::move(options));
    Status status = scanner_->Open();
    if (!status.ok()) {
      scanner_.reset();
      ToError(env_, status).ThrowAsJavaScriptException();
      return;
    }
    done_ = Done::New(env_, "procmuster sample", 0, 1, this);
    done_.Unref(env_);
    // After the thread-safe function's own hook, hence before it when they run: last in, first out.
    napi_add_env_cleanup_hook(env_, &ProcfsSampler::OnEnvironmentEnd, this);
    thread_ = std::thread([this] { Run(); });
  }

  ~ProcfsSampler() override { Shutdown(); }

 private:
  static void OnSampled(Napi::Env env, Napi::Function, ProcfsSampler* self, SampleResult* result);
  using Done = Napi::TypedThreadSafeFunction<ProcfsSampler, SampleResult, &ProcfsSampler::OnSampled>;

  static void OnEnvironmentEnd(void* self) { static_cast<ProcfsSampler*>(self)->Shutdown(); }

  void Attach(const Napi::CallbackInfo& info) {
    if (!scanner_ || pending_) return Throw(EBUSY, "attach");
    Napi::Uint8Array views[2] = {info[0].As<Napi::Uint8Array>(), info[1].As<Napi::Uint8Array>()};
    const uint32_t capacity = info[2].As<Napi::Number>().Uint32Value();
    Napi::Float64Array offsets = info[3].As<Napi::Float64Array>();
    TableBuffer buffers[2];
    if (offsets.ElementLength() != kRegionCount) return Throw(EINVAL, "attach");
    for (int i = 0; i < 2; i++) {
      if (!MapBuffer(views[i].Data(), views[i].ByteLength(), offsets.Data(), capacity, &buffers[i])) {
        return Throw(EINVAL, "attach");
      }
    }
    scanner_->Attach(buffers);  // may copy from the old views, so these are let go only now
    for (int i = 0; i < 2; i++) views_[i] = Napi::Persistent(views[i]);
  }

  Napi::Value Sample(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(env);
    Napi::Promise promise = deferred.Promise();
    if (!scanner_ || pending_ || views_[0].IsEmpty()) {
      deferred.Reject(ToError(env, Status::Fail(scanner_ ? EBUSY : EBADF, "sample")).Value());
      return promise;
    }
    pending_.emplace(deferred);
    Ref();
    done_.Ref(env);
    {
      std::lock_guard lock(mutex_);
      request_ = static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value());
    }
    wake_.notify_one();
    return promise;
  }

  void Close(const Napi::CallbackInfo& info) {
    Shutdown();
    if (!pending_) return;
    // The thread's own word, if it gave one, finds nobody waiting any more.
    pending_->Reject(ToError(info.Env(), Status::Fail(ECANCELED, "sample")).Value());
    pending_.reset();
    Unref();
  }

  void Run() {
    for (;;) {
      uint64_t sequence;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stop_ || request_; });
        if (stop_) return;
        sequence = *request_;
        request_.reset();
      }
      auto result = std::make_unique<SampleResult>();
      result->status = scanner_->Sample(sequence, &result->capacity_needed);
      if (done_.NonBlockingCall(result.get()) == napi_ok) result.release();
    }
  }

  // Stops the threads; idempotent and synchronous, on the JavaScript thread. A scan ends at the next process.
  void Shutdown() {
    if (!thread_.joinable()) return;
    napi_remove_env_cleanup_hook(env_, &ProcfsSampler::OnEnvironmentEnd, this);
    scanner_->Cancel();
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
    scanner_.reset();
    done_.Abort();  // what is queued is freed without a look at this object
  }

  void Throw(int error, const char* what) {
    ToError(env_, Status::Fail(error, what)).ThrowAsJavaScriptException();
  }

  Napi::Env env_;
  std::unique_ptr<Scanner> scanner_;
  Napi::Reference<Napi::Uint8Array> views_[2];  // keep the buffers that the scanner writes to
  std::optional<Napi::Promise::Deferred> pending_;
  Done done_;

  std::mutex mutex_;  // guards request_ and stop_
  std::condition_variable wake_;
  std::optional<uint64_t> request_;
  bool stop_ = false;
  std::thread thread_;
};

void ProcfsSampler::OnSampled(Napi::Env env, Napi::Function, ProcfsSampler* self, SampleResult* raw) {
  std::unique_ptr<SampleResult> result(raw);
  if (env == nullptr || !self->pending_) return;
  Napi::Promise::Deferred deferred = *self->pending_;
  self->pending_.reset();
  self->done_.Unref(env);
  if (result->status.ok()) {
    deferred.Resolve(Napi::Number::New(env, result->capacity_needed));
  } else {
    deferred.Reject(ToError(env, result->status).Value());
  }
  self->Unref();
}

}  // namespace

void RegisterProcfsSampler(Napi::Env env, Napi::Object exports) {
  exports.Set("ProcfsSampler", ProcfsSampler::Class(env));
}

}  // namespace procmuster
