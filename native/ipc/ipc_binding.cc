#include "ipc/ipc_binding.h"

#include <vector>

#include "control/deferred_worker_binding.h"
#include "ipc/removal.h"

namespace procmuster {
namespace {

// Four numbers each: kind, id, key, changedAt.
constexpr size_t kNumbersPerObject = 4;

// removeIpc(objects, force, out: Int32Array): errno and step for each object.
Napi::Value RemoveAll(const Napi::CallbackInfo& info) {
  // Copied, since the caller may change the array while the pool thread works.
  Napi::Float64Array numbers = info[0].As<Napi::Float64Array>();
  std::vector<IpcObject> objects;
  for (size_t i = 0; i + kNumbersPerObject <= numbers.ElementLength(); i += kNumbersPerObject) {
    objects.push_back({static_cast<IpcKind>(numbers[i]), static_cast<int>(numbers[i + 1]),
                       static_cast<key_t>(numbers[i + 2]), static_cast<int64_t>(numbers[i + 3])});
  }
  bool force = info[1].As<Napi::Boolean>().Value();
  int32_t* out = info[2].As<Napi::Int32Array>().Data();
  return DeferredWorker::Start(info, {info[2]}, [objects = std::move(objects), force, out] {
    for (size_t i = 0; i < objects.size(); i++) {
      Removal removal = RemoveIpc(objects[i], force);
      out[i * 2] = removal.error;
      out[i * 2 + 1] = static_cast<int32_t>(removal.step);
    }
  });
}

}  // namespace

void RegisterIpc(Napi::Env env, Napi::Object exports) {
  exports.Set("removeIpc", Napi::Function::New(env, RemoveAll, "removeIpc"));
}

}  // namespace procmuster
