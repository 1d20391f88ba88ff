#include "inspect/inspect_binding.h"

#include <errno.h>

#include <memory>
#include <string>
#include <vector>

#include "inspect/process_scan.h"
#include "inspect/read_pool.h"

namespace procmuster {
namespace {

constexpr int kTimedOut = ETIMEDOUT;
constexpr size_t kCopyUpTo = 16 * 1024;

// What one environment reads; its threads are there only while something is being read.
class EnvironmentReads : public std::enable_shared_from_this<EnvironmentReads> {
 public:
  EnvironmentReads() : pool_(std::make_shared<ReadPool>([this] { channel_.NonBlockingCall(); })) {}

  void Start(Napi::Env env, Napi::Function listener) {
    if (started_) return;
    channel_ = Napi::ThreadSafeFunction::New(env, listener, "procmuster reads", 0, 1);
    if (static_cast<napi_threadsafe_function>(channel_) == nullptr) return;
    // The caller's timer keeps the loop alive, and ends the wait.
    channel_.Unref(env);
    started_ = true;
    // Added after the channel's own hook, so it runs before that one.
    env.AddCleanupHook([self = shared_from_this()] { self->Stop(); });
  }
  Napi::Value Submit(Napi::Env env, size_t count, ReadPool::Work work) {
    uint64_t id = started_ ? pool_->Submit(count, std::move(work)) : 0;
    return Napi::Number::New(env, static_cast<double>(id));
  }
  ReadPool& pool() { return *pool_; }

  void Stop() {
    if (stopped_) return;
    stopped_ = true;
    pool_->Stop();
    channel_.Release();
  }

 private:
  std::shared_ptr<ReadPool> pool_;
  Napi::ThreadSafeFunction channel_;
  bool started_ = false;
  bool stopped_ = false;
};

// A Buffer of the file's bytes without copying them on the main thread, or null where that fails.
napi_value ToBuffer(napi_env env, std::string data) {
  napi_value buffer = nullptr;
  if (data.size() > kCopyUpTo) {
    auto* owned = new std::string(std::move(data));
    napi_status status = napi_create_external_buffer(
        env, owned->size(), owned->data(),
        [](napi_env, void*, void* hint) { delete static_cast<std::string*>(hint); }, owned, &buffer);
    if (status == napi_ok) return buffer;
    data = std::move(*owned);
    delete owned;
  }
  if (napi_create_buffer_copy(env, data.size(), data.data(), nullptr, &buffer) != napi_ok) return nullptr;
  return buffer;
}

// Appends to a flat array: id, whether it was started, then errno, truncated and Buffer of each file. Plain
// Node-API: in a worker thread that is being terminated any of these fails, and nobody is left to be told.
bool Append(napi_env env, napi_value array, uint32_t* at, ReadPool::Result result) {
  auto add = [&](napi_value value) {
    return value != nullptr && napi_set_element(env, array, (*at)++, value) == napi_ok;
  };
  auto number = [&](double value) {
    napi_value made = nullptr;
    return napi_create_double(env, value, &made) == napi_ok ? made : nullptr;
  };
  if (!add(number(static_cast<double>(result.id))) || !add(number(result.started))) return false;
  for (FileContent& file : result.files) {
    if (!add(number(file.done ? file.error : kTimedOut)) || !add(number(file.truncated)) ||
        !add(ToBuffer(env, std::move(file.data)))) {
      return false;
    }
  }
  return true;
}

std::vector<std::string> ToStrings(const Napi::Value& value) {
  std::vector<std::string> strings;
  Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) {
    napi_value element = nullptr;
    if (napi_get_element(array.Env(), array, i, &element) != napi_ok) return {};
    strings.push_back(Napi::String(array.Env(), element).Utf8Value());
  }
  return strings;
}

}  // namespace

void RegisterInspect(Napi::Env env, Napi::Object exports) {
  auto reads = std::make_shared<EnvironmentReads>();
  Napi::Object inspect = Napi::Object::New(env);
  // read(listener, procRoot, pid, startTicks or -1, files, maxBytes) -> id, 0 when it could not be started.
  // The listener of the first call is the one that is told, without arguments, that results wait to be
  // drained.
  inspect["read"] = Napi::Function::New(
      env,
      [reads](const Napi::CallbackInfo& info) -> Napi::Value {
        reads->Start(info.Env(), info[0].As<Napi::Function>());
        ReadRequest request;
        request.proc_root = info[1].As<Napi::String>().Utf8Value();
        request.pid = info[2].As<Napi::Number>().Int32Value();
        request.start_ticks = info[3].As<Napi::Number>().Int64Value();
        request.files = ToStrings(info[4]);
        request.max_bytes = static_cast<size_t>(info[5].As<Napi::Number>().Int64Value());
        size_t count = request.files.size();
        return reads->Submit(info.Env(), count, [request = std::move(request)](const Publish& publish) {
          ReadProcessFiles(request, publish);
        });
      },
      "read");
  // scan(listener, procRoot, pids, kind, keys) -> id, as above; keys are one string, each ended by a zero
  // character.
  inspect["scan"] = Napi::Function::New(
      env,
      [reads](const Napi::CallbackInfo& info) -> Napi::Value {
        reads->Start(info.Env(), info[0].As<Napi::Function>());
        ScanRequest request;
        request.proc_root = info[1].As<Napi::String>().Utf8Value();
        auto pids = info[2].As<Napi::Int32Array>();
        request.pids.assign(pids.Data(), pids.Data() + pids.ElementLength());
        request.kind = static_cast<ScanKind>(info[3].As<Napi::Number>().Int32Value());
        request.keys = SplitKeys(info[4].As<Napi::String>().Utf8Value());
        size_t count = request.pids.size();
        return reads->Submit(info.Env(), count, [request = std::move(request)](const Publish& publish) {
          ScanProcesses(request, publish);
        });
      },
      "scan");
  // drain(array) appends every finished request to the flat array.
  inspect["drain"] = Napi::Function::New(
      env,
      [reads](const Napi::CallbackInfo& info) {
        uint32_t at = 0;
        for (ReadPool::Result& result : reads->pool().Drain()) {
          if (!Append(info.Env(), info[0], &at, std::move(result))) return;
        }
      },
      "drain");
  // abandon(id, array): what there is of a request that took too long; leaves the array empty when it is
  // done.
  inspect["abandon"] = Napi::Function::New(
      env,
      [reads](const Napi::CallbackInfo& info) {
        ReadPool::Result result;
        uint32_t at = 0;
        if (!reads->pool().Abandon(static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value()), &result))
          return;
        Append(info.Env(), info[1], &at, std::move(result));
      },
      "abandon");
  exports["inspect"] = inspect;
}

}  // namespace procmuster
