#include "source/procfs/sampler_binding.h"

#include <errno.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "source/procfs/scan.h"

namespace procmuster {
namespace {

struct SampleResult {
  int error = 0;
  uint32_t capacity_needed = 0;
};

// new ProcfsSampler(procRoot, io, status, threads, descriptors)
//   .open(): errno
//   .attach(view0, view1, capacity, offsets): errno   Uint8Array views over SharedArrayBuffers
//   .sample(sequence, out: Float64Array(2)): Promise  then `out` holds an errno and, where it is 0, the
//                                                     capacity that it takes, 0 when it has been enough
//   .close()                                          idempotent; stops a running scan
// It has a thread of its own, because the pool that Node shares with the program's own file and DNS calls can
// be busy for seconds, and a watchdog must not be late for that. Arguments are numbers, strings and arrays,
// and results go into `out`: see control/deferred_worker.h for why.
class ProcfsSampler : public Napi::ObjectWrap<ProcfsSampler> {
 public:
  static Napi::Function Class(Napi::Env env) {
    return DefineClass(
        env, "ProcfsSampler",
        {InstanceMethod<&ProcfsSampler::Open>("open"), InstanceMethod<&ProcfsSampler::Attach>("attach"),
         InstanceMethod<&ProcfsSampler::Sample>("sample"), InstanceMethod<&ProcfsSampler::Close>("close")});
  }

  explicit ProcfsSampler(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<ProcfsSampler>(info), env_(info.Env()) {
    ScanOptions options;
    options.proc_root = info[0].As<Napi::String>().Utf8Value();
    options.read_io = info[1].As<Napi::Boolean>().Value();
    options.read_status = info[2].As<Napi::Boolean>().Value();
    options.threads = info[3].As<Napi::Number>().Uint32Value();
    options.descriptor_budget = info[4].As<Napi::Number>().Uint32Value();
    scanner_ = std::make_unique<Scanner>(std::move(options));
  }

  ~ProcfsSampler() override { Shutdown(); }

 private:
  static void OnSampled(Napi::Env env, Napi::Function, ProcfsSampler* self, SampleResult* result);
  using Done = Napi::TypedThreadSafeFunction<ProcfsSampler, SampleResult, &ProcfsSampler::OnSampled>;

  static void OnEnvironmentEnd(void* self) { static_cast<ProcfsSampler*>(self)->Shutdown(); }

  Napi::Value Open(const Napi::CallbackInfo& info) {
    if (!scanner_) return Number(EBADF);
    if (int error = scanner_->Open()) return Number(error);
    done_ = Done::New(env_, "procmuster sample", 0, 1, this);
    if (static_cast<napi_threadsafe_function>(done_) == nullptr) return Number(ENOMEM);
    done_.Unref(env_);
    // After the thread-safe function's own hook, hence before it when they run: last in, first out.
    napi_add_env_cleanup_hook(env_, &ProcfsSampler::OnEnvironmentEnd, this);
    thread_ = std::thread([this] { Run(); });
    return Number(0);
  }

  Napi::Value Attach(const Napi::CallbackInfo& info) {
    if (!thread_.joinable()) return Number(EBADF);
    if (pending_ != nullptr) return Number(EBUSY);
    Napi::Uint8Array views[2] = {info[0].As<Napi::Uint8Array>(), info[1].As<Napi::Uint8Array>()};
    const uint32_t capacity = info[2].As<Napi::Number>().Uint32Value();
    Napi::Float64Array offsets = info[3].As<Napi::Float64Array>();
    TableBuffer buffers[2];
    if (offsets.ElementLength() != kRegionCount) return Number(EINVAL);
    for (int i = 0; i < 2; i++) {
      if (!MapBuffer(views[i].Data(), views[i].ByteLength(), offsets.Data(), capacity, &buffers[i])) {
        return Number(EINVAL);
      }
    }
    scanner_->Attach(buffers);  // may copy from the old views, so these are let go only now
    for (int i = 0; i < 2; i++) views_[i] = Napi::Persistent(views[i]);
    return Number(0);
  }

  Napi::Value Sample(const Napi::CallbackInfo& info) {
    napi_deferred deferred;
    napi_value promise;
    if (napi_create_promise(env_, &deferred, &promise) != napi_ok) return {};
    Napi::Float64Array out = info[1].As<Napi::Float64Array>();
    if (!thread_.joinable() || pending_ != nullptr || views_[0].IsEmpty()) {
      out[0] = thread_.joinable() ? EBUSY : EBADF;
      Settle(deferred);
      return {env_, promise};
    }
    pending_ = deferred;
    out_ = Napi::Persistent(out);
    results_ = out.Data();
    Ref();
    done_.Ref(env_);
    {
      std::lock_guard lock(mutex_);
      request_ = static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value());
    }
    wake_.notify_one();
    return {env_, promise};
  }

  void Close(const Napi::CallbackInfo&) {
    Shutdown();
    // The thread's own word, if it gave one, finds nobody waiting any more.
    if (pending_ != nullptr) Finish({ECANCELED, 0});
  }

  void Finish(const SampleResult& result) {
    results_[0] = result.error;
    results_[1] = result.capacity_needed;
    Settle(std::exchange(pending_, nullptr));
    out_.Reset();
    Unref();
  }

  // The statuses are of no use: where these fail, nobody is left to be told.
  void Settle(napi_deferred deferred) {
    napi_value undefined;
    if (napi_get_undefined(env_, &undefined) == napi_ok) napi_resolve_deferred(env_, deferred, undefined);
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
      result->error = scanner_->Sample(sequence, &result->capacity_needed);
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

  Napi::Value Number(int value) const { return Napi::Number::New(env_, value); }

  Napi::Env env_;
  std::unique_ptr<Scanner> scanner_;
  Napi::Reference<Napi::Uint8Array> views_[2];  // keep the buffers that the scanner writes to
  napi_deferred pending_ = nullptr;
  Napi::Reference<Napi::Float64Array> out_;  // keeps results_
  double* results_ = nullptr;
  Done done_;

  std::mutex mutex_;  // guards request_ and stop_
  std::condition_variable wake_;
  std::optional<uint64_t> request_;
  bool stop_ = false;
  std::thread thread_;
};

void ProcfsSampler::OnSampled(Napi::Env env, Napi::Function, ProcfsSampler* self, SampleResult* raw) {
  std::unique_ptr<SampleResult> result(raw);
  if (env == nullptr || self->pending_ == nullptr) return;
  self->done_.Unref(env);
  self->Finish(*result);
}

}  // namespace

void RegisterProcfsSampler(Napi::Env env, Napi::Object exports) {
  exports.Set("ProcfsSampler", ProcfsSampler::Class(env));
}

}  // namespace procmuster
