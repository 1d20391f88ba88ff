#include "source/sampler_binding.h"

#include <errno.h>
#include <string.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/joinable_thread.h"
#include "source/bpf/bpf_source.h"
#include "source/procfs/scan.h"
#include "source/source.h"
#include "table/writer.h"

namespace procmuster {
namespace {

struct Result {
  int error = 0;
  uint32_t capacity_needed = 0;
  std::string refusal;
};

// new Sampler()
//   .openBpf(exactRss, refusal, out): Promise
//   .openProcfs(procRoot, threads, descriptors, out): Promise
//   .attach(view0, view1, capacity, offsets): errno   Uint8Array views over SharedArrayBuffers
//   .setExactNear(thresholds)                         holds from the next sample on
//   .sample(sequence, out): Promise
//   .close()                                          idempotent; stops what is under way
// A source that is opened samples from then on; procfs goes on with the table and the processes of the one
// before it. `refusal` is a Uint8Array for the kernel's words, the unused rest of it left as it was.
// `out` is a Float64Array(2) and holds, once the promise is settled, an errno and, where that is 0, the
// capacity that the sample takes, 0 when there has been enough. It has a thread of its own, because the pool
// that Node shares with the program's own file and DNS calls can be busy for seconds, and a watchdog must not
// be late for that. Arguments are numbers, strings and arrays, and results go into `out`: see
// control/deferred_worker_binding.h for why.
class Sampler : public Napi::ObjectWrap<Sampler> {
 public:
  static Napi::Function Class(Napi::Env env) {
    return DefineClass(
        env, "Sampler",
        {InstanceMethod<&Sampler::OpenBpf>("openBpf"), InstanceMethod<&Sampler::OpenProcfs>("openProcfs"),
         InstanceMethod<&Sampler::SetExactNear>("setExactNear"), InstanceMethod<&Sampler::Attach>("attach"),
         InstanceMethod<&Sampler::Sample>("sample"), InstanceMethod<&Sampler::Close>("close")});
  }

  explicit Sampler(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Sampler>(info), env_(info.Env()) {}
  ~Sampler() override { Shutdown(); }

 private:
  using Work = std::function<void(Result*)>;  // must not touch JavaScript

  static void OnDone(Napi::Env env, Napi::Function, Sampler* self, Result* result);
  using Done = Napi::TypedThreadSafeFunction<Sampler, Result, &Sampler::OnDone>;

  static void OnEnvironmentEnd(void* self) { static_cast<Sampler*>(self)->Shutdown(); }

  Napi::Value OpenBpf(const Napi::CallbackInfo& info) {
    const bool exact_rss = info[0].As<Napi::Boolean>().Value();
    Napi::Uint8Array refusal = info[1].As<Napi::Uint8Array>();
    return Start(info[2], refusal, [this, exact_rss](Result* result) {
      auto source = std::make_unique<BpfSource>(&table_, &cancelled_, exact_rss);
      result->error = source->Open(&result->refusal);
      if (result->error == 0) source_ = std::move(source);
    });
  }

  Napi::Value OpenProcfs(const Napi::CallbackInfo& info) {
    ScanOptions options;
    options.proc_root = info[0].As<Napi::String>().Utf8Value();
    options.threads = info[1].As<Napi::Number>().Uint32Value();
    options.descriptor_budget = info[2].As<Napi::Number>().Uint32Value();
    return Start(info[3], {}, [this, options](Result* result) {
      auto source = std::make_unique<Scanner>(&table_, &cancelled_, options);
      result->error = source->Open(&result->refusal);
      if (result->error != 0) return;
      if (source_) source->Adopt(source_->Known());
      source_ = std::move(source);
    });
  }

  Napi::Value Attach(const Napi::CallbackInfo& info) {
    if (cancelled_) return Number(EBADF);
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
    table_.Attach(buffers);  // may copy from the old views, so these are let go only now
    for (int i = 0; i < 2; i++) views_[i] = Napi::Persistent(views[i]);
    return Number(0);
  }

  Napi::Value Sample(const Napi::CallbackInfo& info) {
    const uint64_t sequence = static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value());
    return Start(info[1], {}, [this, sequence, near = exact_near_](Result* result) {
      result->error = source_ && table_.attached() ? 0 : EBADF;
      if (result->error != 0) return;
      source_->SetExactNear(near);
      result->error = source_->Sample(sequence, &result->capacity_needed);
    });
  }

  void SetExactNear(const Napi::CallbackInfo& info) {
    Napi::Float64Array thresholds = info[0].As<Napi::Float64Array>();
    exact_near_.assign(thresholds.Data(), thresholds.Data() + thresholds.ElementLength());
  }

  void Close(const Napi::CallbackInfo&) {
    Shutdown();
    // The thread's own word, if it gave one, finds nobody waiting any more.
    if (pending_ != nullptr) Finish({ECANCELED, 0, {}});
  }

  Napi::Value Start(Napi::Value results, Napi::Uint8Array refusal, Work work) {
    napi_deferred deferred;
    napi_value promise;
    if (napi_create_promise(env_, &deferred, &promise) != napi_ok) return {};
    Napi::Float64Array out = results.As<Napi::Float64Array>();
    int error = cancelled_ ? EBADF : pending_ != nullptr ? EBUSY : 0;
    if (error == 0 && !thread_.joinable()) error = StartThread();
    if (error != 0) {
      out[0] = error;
      Settle(deferred);
      return {env_, promise};
    }
    pending_ = deferred;
    out_ = Napi::Persistent(out);
    if (!refusal.IsEmpty()) refusal_ = Napi::Persistent(refusal);
    results_ = out.Data();
    Ref();
    done_.Ref(env_);
    {
      std::lock_guard lock(mutex_);
      work_ = std::move(work);
    }
    wake_.notify_one();
    return {env_, promise};
  }

  int StartThread() {
    done_ = Done::New(env_, "procmuster sample", 0, 1, this);
    if (static_cast<napi_threadsafe_function>(done_) == nullptr) return ENOMEM;
    done_.Unref(env_);
    if (int error = thread_.Start<&Sampler::Run>(this)) {
      done_.Abort();
      return error;
    }
    // After the thread-safe function's own hook, hence before it when they run: last in, first out.
    napi_add_env_cleanup_hook(env_, &Sampler::OnEnvironmentEnd, this);
    return 0;
  }

  void Finish(const Result& result) {
    results_[0] = result.error;
    results_[1] = result.capacity_needed;
    if (!refusal_.IsEmpty()) {
      Napi::Uint8Array text = refusal_.Value();
      memcpy(text.Data(), result.refusal.data(), std::min(text.ByteLength(), result.refusal.size()));
      refusal_.Reset();
    }
    Settle(std::exchange(pending_, nullptr));
    out_.Reset();
    Unref();
  }

  // The statuses are of no use: where these fail, nobody is left to be told.
  void Settle(napi_deferred deferred) {
    napi_value undefined;
    if (napi_get_undefined(env_, &undefined) == napi_ok) napi_resolve_deferred(env_, deferred, undefined);
  }

  // --- on the sampler's own thread ---

  void Run() {
    for (;;) {
      Work work;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stop_ || work_; });
        if (stop_) return;
        work = std::exchange(work_, nullptr);
      }
      auto result = std::make_unique<Result>();
      work(result.get());
      if (done_.NonBlockingCall(result.get()) == napi_ok) result.release();
    }
  }

  // --- on the JavaScript thread again ---

  // Stops the threads; idempotent and synchronous. A sample ends at the next process.
  void Shutdown() {
    cancelled_ = true;
    if (!thread_.joinable()) return;
    napi_remove_env_cleanup_hook(env_, &Sampler::OnEnvironmentEnd, this);
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
    source_.reset();
    done_.Abort();  // what is queued is freed without a look at this object
  }

  Napi::Value Number(int value) const { return Napi::Number::New(env_, value); }

  Napi::Env env_;
  std::atomic<bool> cancelled_{false};  // closed, or about to be
  TableWriter table_;
  std::unique_ptr<Source> source_;
  Napi::Reference<Napi::Uint8Array> views_[2];  // keep the buffers that the source writes to
  napi_deferred pending_ = nullptr;
  Napi::Reference<Napi::Float64Array> out_;  // keeps results_
  double* results_ = nullptr;
  Napi::Reference<Napi::Uint8Array> refusal_;
  std::vector<double> exact_near_;
  Done done_;

  std::mutex mutex_;  // guards work_ and stop_
  std::condition_variable wake_;
  Work work_;
  bool stop_ = false;
  JoinableThread thread_;
};

void Sampler::OnDone(Napi::Env env, Napi::Function, Sampler* self, Result* raw) {
  std::unique_ptr<Result> result(raw);
  if (env == nullptr || self->pending_ == nullptr) return;
  self->done_.Unref(env);
  self->Finish(*result);
}

}  // namespace

void RegisterSampler(Napi::Env env, Napi::Object exports) { exports.Set("Sampler", Sampler::Class(env)); }

}  // namespace procmuster
