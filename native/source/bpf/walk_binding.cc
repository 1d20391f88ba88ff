#include "source/bpf/walk_binding.h"

#include <time.h>

#include <string>

#include "common/clock.h"
#include "source/bpf/task_walk.h"

namespace procmuster {
namespace {

int Walk(TaskWalk* walk, uint32_t groups, double* rows, double* slices) {
  *rows = *slices = 0;
  int error = walk->Begin(groups);
  while (!error && walk->more()) {
    error = walk->Next();
    *rows += walk->count();
    *slices += 1;
  }
  return error;
}

// For the benchmark: what the kernel's part alone takes, without the table. On the calling thread, the second
// of two walks.
Napi::Value TimeWalk(const Napi::CallbackInfo& info) {
  uint32_t groups = info[0].As<Napi::Number>().Uint32Value();
  Napi::Float64Array out = info[1].As<Napi::Float64Array>();
  TaskWalk walk;
  std::string refusal;
  double rows = 0, slices = 0;
  int error = walk.Open(&refusal);
  if (!error) error = Walk(&walk, groups, &rows, &slices);
  double wall_ns = ClockNs(CLOCK_MONOTONIC), cpu_ns = ClockNs(CLOCK_THREAD_CPUTIME_ID);
  if (!error) error = Walk(&walk, groups, &rows, &slices);
  out[0] = ClockNs(CLOCK_MONOTONIC) - wall_ns;
  out[1] = ClockNs(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
  out[2] = rows;
  out[3] = slices;
  return Napi::Number::New(info.Env(), error);
}

}  // namespace

void RegisterTimeWalk(Napi::Env env, Napi::Object exports) {
  exports["timeWalk"] = Napi::Function::New(env, TimeWalk, "timeWalk");
}

}  // namespace procmuster
