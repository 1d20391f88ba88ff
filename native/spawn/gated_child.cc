#include "spawn/gated_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mutex>

#include "common/pin_library.h"
#include "control/identity.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

// The child must not run code that a sanitizer instrumented: it shares its bookkeeping with the running
// parent.
#define CHILD_CODE __attribute__((no_sanitize("address", "thread", "undefined")))

// clone(2)'s other name: the thread sanitizer takes the usual one for a fork, and would reset the memory that
// we share.
extern "C" int __clone(int (*function)(void*), void* stack, int flags, void* argument, ...);

namespace procmuster {
namespace {

constexpr size_t kStackBytes = 64 * 1024;
constexpr int kStartTimeoutMs = 10000;
constexpr int kGateFd = 3;
constexpr int kStatusFd = 4;
constexpr int kPidfdIdType = 3;  // P_PIDFD

struct Message {
  int32_t error;
  SpawnStep step;
  pid_t pid;
  uint32_t warnings;
};

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

// Everything that the child needs, made before it starts: it must not allocate.
struct ChildContext {
  const SpawnPlan* plan;
  char* const* arguments;
  char* const* environment;
  int gate;
  int status;
  int null;
};

CHILD_CODE void Report(int fd, int error, SpawnStep step, uint32_t warnings) {
  Message message = {error, step, static_cast<pid_t>(syscall(SYS_getpid)), warnings};
  syscall(SYS_write, fd, &message, sizeof(message));
}

[[noreturn]] CHILD_CODE void Fail(int fd, SpawnStep step) {
  Report(fd, errno, step, 0);
  for (;;) syscall(SYS_exit_group, 127);
}

CHILD_CODE void ResetSignals() {
  // The kernel's struct, all zero: SIG_DFL. glibc's wrapper refuses its own two signals.
  struct {
    unsigned long handler, flags, restorer, mask;
  } action = {};
  for (int number = 1; number <= 64; number++) syscall(SYS_rt_sigaction, number, &action, nullptr, 8);
  unsigned long none = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, 8);
}

CHILD_CODE bool PlaceDescriptors(const ChildContext& context) {
  // Out of the way first, since the wanted numbers may be taken by what goes elsewhere.
  int from[5] = {context.plan->stdio[0], context.plan->stdio[1], context.plan->stdio[2], context.gate,
                 context.status};
  for (int i = 0; i < 5; i++) {
    if (from[i] < 0) from[i] = context.null;
    from[i] = static_cast<int>(syscall(SYS_fcntl, from[i], F_DUPFD, 5));
    if (from[i] < 0) return false;
  }
  for (int i = 0; i < 5; i++) {
    if (syscall(SYS_dup3, from[i], i, i >= kGateFd ? O_CLOEXEC : 0) < 0) return false;
  }
  // With them go all copies of the gate's other end: were our parent killed now, reading the gate would tell
  // us.
  return syscall(SYS_close_range, kStatusFd + 1, ~0u, 0) == 0;
}

CHILD_CODE uint32_t SetLimits(const SpawnPlan& plan) {
  uint32_t warnings = 0;
  for (int resource = 0; resource < kResourceCount; resource++) {
    struct rlimit limit = plan.limits[resource];
    if (syscall(SYS_prlimit64, 0, resource, &limit, nullptr) == 0) continue;
    warnings |= 1u << resource;
    // Not above our own hard limit, then.
    struct rlimit own;
    if (syscall(SYS_prlimit64, 0, resource, nullptr, &own) != 0) continue;
    if (limit.rlim_max > own.rlim_max) limit.rlim_max = own.rlim_max;
    if (limit.rlim_cur > limit.rlim_max) limit.rlim_cur = limit.rlim_max;
    syscall(SYS_prlimit64, 0, resource, &limit, nullptr);
  }
  return warnings;
}

CHILD_CODE bool Stat(int directory, const char* path, int flags, struct stat* st) {
  return syscall(SYS_newfstatat, directory, path, st, flags) == 0;
}

CHILD_CODE bool IsFile(const struct stat& st, const FileIdentity& identity) {
  return st.st_dev == identity.device && st.st_ino == identity.inode;
}

// A daemon often stands in a directory that its user may not enter; we enter it while we still may, if it is
// the same.
CHILD_CODE bool EnterSameDirectory(const SpawnPlan& plan) {
  struct stat st;
  int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, plan.directory.c_str(), O_PATH | O_DIRECTORY));
  if (fd < 0) return false;
  bool entered =
      Stat(fd, "", AT_EMPTY_PATH, &st) && IsFile(st, plan.directory_identity) && syscall(SYS_fchdir, fd) == 0;
  syscall(SYS_close, fd);
  return entered;
}

CHILD_CODE bool LimitBoundingSet(const SpawnPlan& plan) {
  for (int capability = 0; capability < 64; capability++) {
    if ((plan.bounding & (1ull << capability)) != 0) continue;
    int has = static_cast<int>(syscall(SYS_prctl, PR_CAPBSET_READ, capability, 0, 0, 0));
    if (has < 0) break;  // beyond the last one that this kernel knows
    if (has == 1 && syscall(SYS_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      // Without CAP_SETPCAP it stays; the caller has seen to it that this gives the program nothing.
      return errno == EPERM;
    }
  }
  return true;
}

CHILD_CODE bool LimitCapabilities(const SpawnPlan& plan) {
  if (syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
    return false;
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  uint64_t permitted = data[0].permitted | static_cast<uint64_t>(data[1].permitted) << 32;
  uint64_t own_inheritable = data[0].inheritable | static_cast<uint64_t>(data[1].inheritable) << 32;
  uint64_t inheritable = (plan.inheritable | plan.ambient) & (permitted | own_inheritable);
  uint64_t ambient = plan.ambient & permitted & inheritable;
  // As root, exec fills the permitted set from the bounding set again; else it is the ambient set alone.
  for (int i = 0; i < 2; i++) {
    data[i].inheritable = static_cast<uint32_t>(inheritable >> (32 * i));
    data[i].permitted = plan.uid == 0 ? data[i].permitted : static_cast<uint32_t>(ambient >> (32 * i));
    data[i].effective = plan.uid == 0 ? data[i].effective : 0;
  }
  if (syscall(SYS_capset, &header, data) != 0) return false;
  for (int capability = 0; capability < 64; capability++) {
    if ((ambient & (1ull << capability)) == 0) continue;
    if (syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) return false;
  }
  return true;
}

// Raw system calls: glibc's setters would change the credentials of the parent's threads as well.
CHILD_CODE bool ChangeUser(const SpawnPlan& plan, SpawnStep* step) {
  *step = SpawnStep::kGroups;
  if (syscall(SYS_setgroups, plan.groups.size(), plan.groups.data()) != 0) return false;
  if (syscall(SYS_setresgid, plan.gid, plan.gid, plan.gid) != 0) return false;
  *step = SpawnStep::kUser;
  if (plan.ambient != 0 && syscall(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return false;
  return syscall(SYS_setresuid, plan.uid, plan.uid, plan.uid) == 0;
}

CHILD_CODE int ChildMain(void* argument) {
  const auto& context = *static_cast<const ChildContext*>(argument);
  const SpawnPlan& plan = *context.plan;
  ResetSignals();
  if (syscall(SYS_setsid) < 0) Fail(context.status, SpawnStep::kSession);
  if (!PlaceDescriptors(context)) Fail(context.status, SpawnStep::kStdio);
  uint32_t warnings = SetLimits(plan);
  if (syscall(SYS_setpriority, PRIO_PROCESS, 0, plan.nice) != 0) warnings |= kWarnNice;
  // 1: IOPRIO_WHO_PROCESS
  if (plan.io_priority >= 0 && syscall(SYS_ioprio_set, 1, 0, plan.io_priority) != 0)
    warnings |= kWarnIoPriority;
  syscall(SYS_umask, plan.umask);
  bool entered = EnterSameDirectory(plan);
  Report(kStatusFd, 0, SpawnStep::kDone, warnings);

  char go = 0;
  long got;
  do {
    got = syscall(SYS_read, kGateFd, &go, 1);
  } while (got < 0 && errno == EINTR);
  if (got != 1) {
    for (;;) syscall(SYS_exit_group, 127);  // called off, or our parent is dead
  }

  // Only now, so that nothing that the new user may touch shares our memory for longer than it takes to get
  // to exec.
  if (!LimitBoundingSet(plan)) Fail(kStatusFd, SpawnStep::kBounding);
  SpawnStep step = SpawnStep::kUser;
  if (plan.change_user && !ChangeUser(plan, &step)) Fail(kStatusFd, step);
  if (!LimitCapabilities(plan)) Fail(kStatusFd, SpawnStep::kCapabilities);
  if (!entered && syscall(SYS_chdir, plan.directory.c_str()) != 0) Fail(kStatusFd, SpawnStep::kDirectory);
  if (plan.no_new_privileges && syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    Fail(kStatusFd, SpawnStep::kCapabilities);
  }
  struct stat st;
  if (!Stat(AT_FDCWD, plan.path.c_str(), 0, &st)) Fail(kStatusFd, SpawnStep::kExec);
  errno = ESTALE;
  if (!IsFile(st, plan.executable)) Fail(kStatusFd, SpawnStep::kExecutable);
  errno = EPERM;
  if ((st.st_mode & (S_ISUID | S_ISGID)) != 0 && !plan.no_new_privileges) {
    Fail(kStatusFd, SpawnStep::kExecutable);
  }
  syscall(SYS_execve, plan.path.c_str(), context.arguments, context.environment);
  Fail(kStatusFd, SpawnStep::kExec);
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// False at the end of the pipe, and after the timeout with errno ETIMEDOUT.
bool ReadMessage(int fd, Message* message, int timeout_ms) {
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
  bool opened = false;
  int raw_pidfd = -1;  // the kernel writes it before the child runs
  UniqueFd pidfd;
  pid_t pid = 0;
  uint32_t warnings = 0;

  void CloneAndWait();
  // Under the mutex. The kernel has written it before the child could tell us anything.
  void AdoptPidfd() {
    if (!pidfd.valid()) pidfd.reset(raw_pidfd);
  }
  static void* Main(void* owned) {
    std::unique_ptr<std::shared_ptr<State>> state(static_cast<std::shared_ptr<State>*>(owned));
    pthread_setname_np(pthread_self(), "muster-spawn");
    (*state)->CloneAndWait();
    return nullptr;
  }
};

// On the thread of its own, with all signals blocked: until the child has reset them, a handler of ours would
// run in it.
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
  if (error != 0) {
    Message message = {error, SpawnStep::kClone, 0, 0};
    if (write(child_status.get(), &message, sizeof(message)) < 0) return;
    child_status.reset();
    return;
  }
  std::lock_guard lock(mutex);
  child_status.reset();
  AdoptPidfd();
  if (opened || !pidfd.valid()) return;
  // Nobody may be left to wait for one that was called off, or failed on the way.
  siginfo_t info;
  waitid(static_cast<idtype_t>(kPidfdIdType), static_cast<id_t>(pidfd.get()), &info, WEXITED);
}

GatedChild::GatedChild(SpawnPlan plan) : state_(std::make_shared<State>()) { state_->plan = std::move(plan); }

GatedChild::~GatedChild() { Cancel(); }

SpawnOutcome GatedChild::Start() {
  State& state = *state_;
  PinLibrary();
  state.arguments = Pointers(state.plan.arguments);
  state.environment = Pointers(state.plan.environment);
  int gate[2], status[2];
  if (pipe2(gate, O_CLOEXEC) != 0) return {errno, SpawnStep::kResources};
  state.child_gate.reset(gate[0]);
  state.gate.reset(gate[1]);
  if (pipe2(status, O_CLOEXEC) != 0) return {errno, SpawnStep::kResources};
  state.status.reset(status[0]);
  state.child_status.reset(status[1]);
  state.null.reset(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!state.null.valid()) return {errno, SpawnStep::kResources};
  state.context = {&state.plan,
                   state.arguments.data(),
                   state.environment.data(),
                   state.child_gate.get(),
                   state.child_status.get(),
                   state.null.get()};

  auto* owned = new std::shared_ptr<State>(state_);
  sigset_t all, before;
  sigfillset(&all);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  int error = pthread_create(&thread, &attributes, &State::Main, owned);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (error != 0) {
    delete owned;
    return {error, SpawnStep::kResources};
  }

  Message message = {};
  bool told = ReadMessage(state.status.get(), &message, kStartTimeoutMs);
  int read_error = errno;
  std::lock_guard lock(state.mutex);
  state.AdoptPidfd();
  if (!told) {
    if (state.pidfd.valid()) PidfdSignal(state.pidfd.get(), SIGKILL);
    state.gate.reset();
    return {read_error == 0 ? ECHILD : read_error, SpawnStep::kTimeout};
  }
  state.child_gate.reset();
  if (message.error != 0) {
    state.gate.reset();
    return {message.error, message.step};
  }
  state.pid = message.pid;
  state.warnings = message.warnings;
  return {};
}

SpawnOutcome GatedChild::Open() {
  State& state = *state_;
  {
    std::lock_guard lock(state.mutex);
    if (!state.gate.valid()) return {ECANCELED, SpawnStep::kCancelled};
    state.opened = true;
    // The parent's end of the status pipe must see its end when the child executes.
    state.child_status.reset();
    char go = 1;
    // A child that was killed at the gate has closed its end; the signal that this raises is blocked or
    // ignored by Node.
    if (write(state.gate.get(), &go, 1) != 1) return {errno, SpawnStep::kCancelled};
    state.gate.reset();
  }
  Message message = {};
  if (ReadMessage(state.status.get(), &message, kStartTimeoutMs)) return {message.error, message.step};
  if (errno == 0) return {};
  PidfdSignal(state.pidfd.get(), SIGKILL);
  return {ETIMEDOUT, SpawnStep::kTimeout};
}

void GatedChild::Cancel() {
  std::lock_guard lock(state_->mutex);
  state_->gate.reset();
}

pid_t GatedChild::pid() const { return state_->pid; }
uint32_t GatedChild::warnings() const { return state_->warnings; }

UniqueFd GatedChild::DuplicatePidfd() const {
  return UniqueFd(fcntl(state_->pidfd.get(), F_DUPFD_CLOEXEC, 0));
}

}  // namespace procmuster
