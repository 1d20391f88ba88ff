#include "control/members_binding.h"

#include <math.h>

#include "control/deferred_worker_binding.h"
#include "control/members.h"
#include "control/pid_handle_binding.h"
#include "control/target_numbers_binding.h"

namespace procmuster {
namespace {

// In the order of src/control/members.ts.
constexpr size_t kNumbersPerMember = 13;

// newMembers(): what signalMembers fills and readMembers shows; how many there are nobody knows before.
Napi::Value NewMembers(const Napi::CallbackInfo& info) {
  return Napi::External<MembersResult>::New(info.Env(), new MembersResult(),
                                            [](Napi::Env, MembersResult* owned) { delete owned; });
}

// signalMembers(members, relation, roots, numbers, out: Int32Array): errno, stable, count of members.
// numbers: signal (-1: list only), value or NaN, freeze, childrenFirst, continueAll, force, patience in ms.
Napi::Value SignalAllMembers(const Napi::CallbackInfo& info) {
  MembersResult* members = HeldBy<MembersResult>(info[0]);
  if (members == nullptr) return {};
  Napi::Float64Array numbers = info[3].As<Napi::Float64Array>();
  MembersRequest request;
  request.relation = static_cast<Relation>(info[1].As<Napi::Number>().Int32Value());
  request.roots = CopyTargets(info[2]);
  request.act = numbers[0] >= 0;
  if (request.act) request.action.signal = static_cast<int>(numbers[0]);
  request.action.has_value = !isnan(numbers[1]);
  if (request.action.has_value) request.action.value = static_cast<int64_t>(numbers[1]);
  request.freeze = numbers[2] != 0;
  request.children_first = numbers[3] != 0;
  request.continue_all = numbers[4] != 0;
  request.action.force = numbers[5] != 0;
  request.patience_ns = numbers[6] * 1e6;
  int32_t* out = info[4].As<Napi::Int32Array>().Data();
  return DeferredWorker::Start(info, {info[0], info[4]}, [members, request = std::move(request), out] {
    SignalMembers(request, members);
    out[0] = members->error;
    out[1] = members->stable;
    out[2] = static_cast<int32_t>(members->members.size());
  });
}

// readMembers(members, out: Float64Array, roots: Int32Array): errno and step of each root.
Napi::Value ReadMembers(const Napi::CallbackInfo& info) {
  MembersResult* members = HeldBy<MembersResult>(info[0]);
  if (members == nullptr) return {};
  double* out = info[1].As<Napi::Float64Array>().Data();
  for (const Member& member : members->members) {
    double numbers[kNumbersPerMember] = {
        static_cast<double>(member.target.pid),     static_cast<double>(member.target.start_ticks),
        static_cast<double>(member.target.inode),   static_cast<double>(member.target.settled),
        static_cast<double>(member.ppid),           static_cast<double>(member.depth),
        static_cast<double>(member.stopped_before), static_cast<double>(member.frozen),
        static_cast<double>(member.missed),         static_cast<double>(member.survived),
        static_cast<double>(member.is_protected),   static_cast<double>(member.outcome.error),
        static_cast<double>(member.outcome.step)};
    for (double number : numbers) *out++ = number;
  }
  int32_t* roots = info[2].As<Napi::Int32Array>().Data();
  for (const Outcome& outcome : members->roots) {
    *roots++ = outcome.error;
    *roots++ = static_cast<int32_t>(outcome.step);
  }
  return info.Env().Undefined();
}

}  // namespace

void RegisterMembers(Napi::Env env, Napi::Object control) {
  control["newMembers"] = Napi::Function::New(env, NewMembers, "newMembers");
  control["signalMembers"] = Napi::Function::New(env, SignalAllMembers, "signalMembers");
  control["readMembers"] = Napi::Function::New(env, ReadMembers, "readMembers");
}

}  // namespace procmuster
