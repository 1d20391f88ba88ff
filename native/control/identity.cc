#include "control/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <atomic>

#include "common/own_pids.h"
#include "source/procfs/parse.h"

namespace procmuster {
namespace {

int ReadAndParse(int fd, StatFacts* facts) {
  // The longest line: a 64 byte name and 51 numbers of at most 20 digits.
  char buffer[2048];
  ssize_t size = read(fd, buffer, sizeof(buffer));
  if (size < 0) return errno;
  if (size == 0) return ESRCH;
  StatFields fields;
  if (!ParseStat({buffer, static_cast<size_t>(size)}, &fields)) return EBADMSG;
  *facts = {fields.start_ticks, fields.flags, fields.state,  fields.ppid,
            fields.pgid,        fields.sid,   fields.threads};
  return 0;
}

}  // namespace

int ReadStatFacts(const char* proc_root, pid_t pid, StatFacts* facts) {
  char path[4096];
  int length = snprintf(path, sizeof(path), "%s/%d/stat", proc_root, static_cast<int>(pid));
  if (length < 0 || static_cast<size_t>(length) >= sizeof(path)) return ENAMETOOLONG;
  UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno;
  return ReadAndParse(fd.get(), facts);
}

int ReadStatFactsAt(int process_dir, StatFacts* facts) {
  UniqueFd fd(openat(process_dir, "stat", O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return errno;
  return ReadAndParse(fd.get(), facts);
}

bool ProcHasOwnPids() {
  // Looked for again only while it has not: it can still be mounted.
  static std::atomic<bool> found{false};
  if (!found) found = HasOwnPids(AT_FDCWD, "/proc/self");
  return found;
}

Outcome OpenVerified(const Target& target, UniqueFd* pidfd, StatFacts* facts) {
  if (!target.settled) return {EAGAIN, Step::kUnsettled};
  if (!target.proven_by_inode && !ProcHasOwnPids()) return {EXDEV, Step::kForeignPids};
  if (int error = OpenPidfd(target.pid, pidfd)) {
    // EINVAL and ENOENT: the number is a mere thread's by now, so the process that had it is gone.
    if (error == EINVAL || error == ENOENT) error = ESRCH;
    return {error, Step::kOpen};
  }
  if (target.inode != 0) {
    uint64_t inode = PidfdInode(pidfd->get());
    if (inode != 0 && inode != target.inode) return {ESRCH, Step::kMismatch};
    // The inode is proof enough then, and reading stat takes most of the time.
    if (inode != 0 && target.proven_by_inode) {
      facts->start_ticks = target.start_ticks;
      return {};
    }
  }
  // The pidfd is held: were stat a successor's by now, then its start would be later than the target's.
  if (int error = ReadStatFacts("/proc", target.pid, facts)) {
    if (error == ENOENT) error = ESRCH;
    return {error, error == EBADMSG ? Step::kUnreadable : Step::kStat};
  }
  if (facts->start_ticks != target.start_ticks) return {ESRCH, Step::kMismatch};
  return {};
}

bool IsProtected(pid_t pid, const StatFacts& facts) {
  return pid == 1 || pid == getpid() || facts.kernel_thread();
}

}  // namespace procmuster
