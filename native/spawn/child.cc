#include "spawn/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// A sanitizer's code would keep books that belong to the running parent.
#define CHILD_CODE __attribute__((no_sanitize("address", "thread", "undefined")))

namespace procmuster {
namespace {

constexpr int kGateFd = 3;
constexpr int kStatusFd = 4;

CHILD_CODE void Report(int fd, int error, SpawnStep step, uint32_t warnings) {
  ChildMessage message = {error, step, static_cast<pid_t>(syscall(SYS_getpid)), warnings};
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

// For kernels before 5.9, and containers whose filter of system calls does not know close_range.
CHILD_CODE bool CloseListed(int first) {
  struct Entry {  // linux_dirent64
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
  };
  alignas(Entry) char buffer[4096];
  int list =
      static_cast<int>(syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (list < 0) return false;
  long size;
  while ((size = syscall(SYS_getdents64, list, buffer, sizeof(buffer))) > 0) {
    for (long at = 0; at < size;) {
      const Entry* entry = reinterpret_cast<const Entry*>(buffer + at);
      at += entry->size;
      int number = 0;
      for (const char* digit = entry->name; *digit >= '0' && *digit <= '9'; digit++)
        number = number * 10 + (*digit - '0');
      if (number >= first && number != list) syscall(SYS_close, number);
    }
  }
  syscall(SYS_close, list);
  return size == 0;
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
  return syscall(SYS_close_range, kStatusFd + 1, ~0u, 0) == 0 || CloseListed(kStatusFd + 1);
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
  return static_cast<double>(st.st_dev) == identity.device &&
         static_cast<double>(st.st_ino) == identity.inode;
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
  // Our session's keys are not for another user. Where a filter refuses this, nobody can use them either.
  syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr, 0, 0, 0);
  if (plan.ambient != 0 && syscall(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return false;
  return syscall(SYS_setresuid, plan.uid, plan.uid, plan.uid) == 0;
}

}  // namespace

CHILD_CODE int ChildMain(void* argument) {
  const auto& context = *static_cast<const ChildContext*>(argument);
  const SpawnPlan& plan = *context.plan;
  ResetSignals();
  if (plan.place == SpawnPlace::kSession && syscall(SYS_setsid) < 0) Fail(context.status, SpawnStep::kPlace);
  if (plan.place == SpawnPlace::kGroup && syscall(SYS_setpgid, 0, 0) < 0)
    Fail(context.status, SpawnStep::kPlace);
  if (!PlaceDescriptors(context)) Fail(context.status, SpawnStep::kStdio);
  uint32_t warnings = plan.set_limits ? SetLimits(plan) : 0;
  if (syscall(SYS_setpriority, PRIO_PROCESS, 0, plan.nice) != 0) warnings |= kWarnNice;
  // 1: IOPRIO_WHO_PROCESS
  if (plan.io_priority >= 0 && syscall(SYS_ioprio_set, 1, 0, plan.io_priority) != 0)
    warnings |= kWarnIoPriority;
  if (!plan.processors.empty() &&
      syscall(SYS_sched_setaffinity, 0, plan.processors.size(), plan.processors.data()) != 0)
    warnings |= kWarnProcessors;
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
  const char* path = plan.named_path.c_str();
  // This user may see the file under one of its paths only.
  if (plan.named_path.empty() || !Stat(AT_FDCWD, path, 0, &st) || !IsFile(st, plan.executable)) {
    path = plan.path.c_str();
    if (!Stat(AT_FDCWD, path, 0, &st)) Fail(kStatusFd, SpawnStep::kExec);
  }
  errno = ESTALE;
  if (!IsFile(st, plan.executable)) Fail(kStatusFd, SpawnStep::kExecutable);
  errno = EPERM;
  if ((st.st_mode & (S_ISUID | S_ISGID)) != 0 && !plan.no_new_privileges && !plan.allow_setuid) {
    Fail(kStatusFd, SpawnStep::kExecutable);
  }
  syscall(SYS_execve, path, context.arguments, context.environment);
  Fail(kStatusFd, SpawnStep::kExec);
}

}  // namespace procmuster
