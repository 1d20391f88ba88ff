#include "spawn/gated_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/pidfd.h"
#include "spawn/spawn_threads.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

// clone(2)'s other name: the thread sanitizer takes the usual one for a fork, and would reset the memory that
// we share.
extern "C" int __clone(int (*function)(void*), void* stack, int flags, void* argument, ...);

namespace procmuster {
namespace {

constexpr size_t kStackBytes = 64 * 1024;
constexpr int kStartTimeoutMs = 10000;

// Changing the user of a child that shares our memory makes this process undumpable, and it has to stay so
// until that child has memory of its own: else its new user could trace it, and read ours. Put back when the
// last one is gone.
std::mutex dumpable_mutex;
int sharing_children = 0;
int dumpable_before = 1;

void ChildSharesMemory() {
  std::lock_guard lock(dumpable_mutex);
  if (sharing_children++ == 0) dumpable_before = prctl(PR_GET_DUMPABLE);
}

void ChildHasLeft() {
  std::lock_guard lock(dumpable_mutex);
  if (--sharing_children == 0 && dumpable_before == 1 && prctl(PR_GET_DUMPABLE) != 1)
    prctl(PR_SET_DUMPABLE, 1);
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// False at the end of the pipe, and after the timeout with errno ETIMEDOUT.
bool ReadMessage(int fd, ChildMessage* message, int timeout_ms) {
  struct pollfd poll_fd = {fd, POLLIN, 0};
  int ready;
  do {
    ready = poll(&poll_fd, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) {
    errno = ETIMEDOUT;
    return false;
  }
  ssize_t size;
  do {
    size = read(fd, message, sizeof(*message));
  } while (size < 0 && errno == EINTR);
  errno = 0;
  return size == static_cast<ssize_t>(sizeof(*message));
}

}  // namespace

struct GatedChild::State {
  SpawnPlan plan;
  std::vector<char*> arguments;
  std::vector<char*> environment;
  ChildContext context = {};
  UniqueFd null;
  UniqueFd child_gate, child_status;  // the child's ends, closed once it has its own
  std::mutex mutex;
  UniqueFd gate, status;
  bool opened = false, called_off = false;
  bool reading = false;  // the status, outside the mutex
  std::condition_variable decided;
  int raw_pidfd = -1;  // the kernel writes it before the child runs
  UniqueFd pidfd;
  pid_t pid = 0;
  uint32_t warnings = 0;

  int OpenPipes();
  void CloneAndWait();
  // Under the mutex: it will not be let go on.
  void CallOff() {
    gate.reset();
    if (!reading) status.reset();
    called_off = true;
    decided.notify_all();
  }
  // Under the mutex. The kernel has written it before the child could tell us anything.
  void AdoptPidfd() {
    if (raw_pidfd >= 0) pidfd.reset(std::exchange(raw_pidfd, -1));
  }
  // Under the mutex, once the child has its own copies, or there will be none.
  void CloseChildsEnds() {
    child_gate.reset();
    child_status.reset();
    null.reset();
  }
};

// Under the mutex. An errno.
int GatedChild::State::OpenPipes() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  child_gate.reset(ends[0]);
  gate.reset(ends[1]);
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  status.reset(ends[0]);
  child_status.reset(ends[1]);
  null.reset(open("/dev/null", O_RDWR | O_CLOEXEC));
  return null.valid() ? 0 : errno;
}

// On a spawn thread, with all signals blocked: until the child has reset them, a handler of ours would run in
// it.
void GatedChild::State::CloneAndWait() {
  void* stack =
      mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  int error = stack == MAP_FAILED ? errno : 0;
  if (error == 0) {
    ChildSharesMemory();
    // Suspended from here until the child executes or ends.
    int child =
        __clone(ChildMain, static_cast<char*>(stack) + kStackBytes,
                CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &context, &raw_pidfd, nullptr, nullptr);
    error = child < 0 ? errno : 0;
    ChildHasLeft();
    munmap(stack, kStackBytes);
  }
  std::unique_lock lock(mutex);
  if (error != 0) {
    ChildMessage message = {error, SpawnStep::kClone, 0, 0};
    // Where nobody reads it, nobody waits for it.
    [[maybe_unused]] ssize_t written = write(child_status.get(), &message, sizeof(message));
  }
  CloseChildsEnds();
  if (error != 0) return;
  AdoptPidfd();
  // One that was killed at the gate keeps its pid until it is decided on: who starts it still goes by that.
  decided.wait(lock, [this] { return opened || called_off; });
  if (opened || !pidfd.valid()) return;
  // Nobody may be left to wait for one that was called off, or failed on the way.
  siginfo_t info;
  waitid(kPidfdIdType, static_cast<id_t>(pidfd.get()), &info, WEXITED);
  pidfd.reset();
}

GatedChild::GatedChild(SpawnPlan plan) : state_(std::make_shared<State>()) { state_->plan = std::move(plan); }

GatedChild::~GatedChild() { Cancel(); }

SpawnOutcome GatedChild::Start() {
  State& state = *state_;
  state.arguments = Pointers(state.plan.arguments);
  state.environment = Pointers(state.plan.environment);
  {
    std::lock_guard lock(state.mutex);
    if (state.called_off) return {ECANCELED, SpawnStep::kGate};
    int error = state.OpenPipes();
    state.context = {&state.plan,
                     state.arguments.data(),
                     state.environment.data(),
                     state.child_gate.get(),
                     state.child_status.get(),
                     state.null.get()};
    if (error == 0) error = RunOnSpawnThread([held = state_] { held->CloneAndWait(); });
    if (error != 0) {
      // The object may be collected much later.
      state.CallOff();
      state.CloseChildsEnds();
      return {error, SpawnStep::kResources};
    }
    state.reading = true;
  }

  ChildMessage message = {};
  bool told = ReadMessage(state.status.get(), &message, kStartTimeoutMs);
  int read_error = errno;
  std::lock_guard lock(state.mutex);
  state.reading = false;
  state.AdoptPidfd();
  if (!told) {
    if (state.pidfd.valid()) PidfdSignal(state.pidfd.get(), SIGKILL);
    // The child's ends are closed once its clone has returned: it may only be about to copy them.
    state.CallOff();
    return {read_error == 0 ? ECHILD : read_error, SpawnStep::kTimeout};
  }
  if (message.error != 0) {
    state.CallOff();
    return {message.error, message.step};
  }
  state.child_gate.reset();
  state.null.reset();
  if (state.called_off) state.status.reset();
  state.pid = message.pid;
  state.warnings = message.warnings;
  return {};
}

SpawnOutcome GatedChild::Open() {
  State& state = *state_;
  {
    std::lock_guard lock(state.mutex);
    if (!state.gate.valid()) return {ECANCELED, SpawnStep::kGate};
    state.opened = true;
    state.decided.notify_all();
    // The parent's end of the status pipe must see its end when the child executes.
    state.child_status.reset();
    char go = 1;
    // A child that was killed at the gate has closed its end; the signal that this raises is blocked or
    // ignored by Node.
    int error = write(state.gate.get(), &go, 1) == 1 ? 0 : errno;
    state.gate.reset();
    if (error != 0) {
      state.status.reset();
      state.pidfd.reset();
      return {error, SpawnStep::kGate};
    }
    state.reading = true;
  }
  ChildMessage message = {};
  bool failed = ReadMessage(state.status.get(), &message, kStartTimeoutMs);
  bool timed_out = !failed && errno != 0;
  std::lock_guard lock(state.mutex);
  state.reading = false;
  if (timed_out) PidfdSignal(state.pidfd.get(), SIGKILL);
  state.status.reset();
  state.pidfd.reset();
  if (timed_out) return {ETIMEDOUT, SpawnStep::kTimeout};
  return {message.error, message.step};
}

void GatedChild::Cancel() {
  std::lock_guard lock(state_->mutex);
  state_->CallOff();
}

pid_t GatedChild::pid() const { return state_->pid; }
uint32_t GatedChild::warnings() const { return state_->warnings; }

UniqueFd GatedChild::DuplicatePidfd() const {
  std::lock_guard lock(state_->mutex);
  return UniqueFd(fcntl(state_->pidfd.get(), F_DUPFD_CLOEXEC, 0));
}

}  // namespace procmuster
