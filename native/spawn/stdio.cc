#include "spawn/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

namespace procmuster {
namespace {

constexpr int kKeptFlags = O_ACCMODE | O_APPEND | O_SYNC | O_DSYNC | O_DIRECT | O_NOATIME;

int OpenWithoutWaiting(const char* path, int flags, UniqueFd* fd) {
  // A FIFO without a peer, or a device, would keep us; the flag is the process's own again right after.
  fd->reset(open(path, (flags & kKeptFlags) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd->valid()) return errno;
  return fcntl(fd->get(), F_SETFL, (flags & (kKeptFlags | O_NONBLOCK)) & ~O_ACCMODE) == 0 ? 0 : errno;
}

void Describe(int fd, StdioSource* source) {
  struct stat st;
  if (fstat(fd, &st) != 0) return;
  source->mode = st.st_mode;
  source->device = st.st_dev;
  source->inode = st.st_ino;
  source->owner = st.st_uid;
  source->flags = fcntl(fd, F_GETFL);
  source->position = S_ISREG(st.st_mode) ? lseek(fd, 0, SEEK_CUR) : -1;
}

}  // namespace

StdioSource TakeDescriptor(int pidfd, int pid, int number, UniqueFd* fd) {
  StdioSource source;
  fd->reset(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, number, 0)));
  source.same_open = fd->valid();
  if (!fd->valid()) {
    source.error = errno;
    if (source.error == EBADF) return source;  // it was closed there
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, number);
    UniqueFd info(open(path, O_RDONLY | O_CLOEXEC));
    char text[256] = {};
    long long position = 0;
    unsigned flags = 0;
    if (!info.valid() || read(info.get(), text, sizeof(text) - 1) <= 0 ||
        sscanf(text, "pos: %lld flags: %o", &position, &flags) != 2) {
      return source;
    }
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, number);
    source.error = OpenWithoutWaiting(path, static_cast<int>(flags), fd);
    if (source.error != 0) return source;
    struct stat st;
    if (fstat(fd->get(), &st) == 0 && S_ISREG(st.st_mode)) lseek(fd->get(), position, SEEK_SET);
  }
  source.error = 0;
  Describe(fd->get(), &source);
  return source;
}

StdioSource ReopenDescriptor(const char* path, int flags, const FileIdentity& file, uint32_t owner,
                             int64_t position, UniqueFd* fd) {
  StdioSource source;
  source.error = OpenWithoutWaiting(path, flags, fd);
  if (source.error != 0) return source;
  Describe(fd->get(), &source);
  // Whoever can write to the directory could have put a link to another user's file there meanwhile. And the
  // terminal that bears this number and inode now can be another user's: only its owner tells them apart.
  if (static_cast<double>(source.device) != file.device || static_cast<double>(source.inode) != file.inode ||
      source.owner != owner) {
    fd->reset();
    source.error = ESTALE;
    return source;
  }
  if (position >= 0 && (flags & O_APPEND) == 0) lseek(fd->get(), position, SEEK_SET);
  return source;
}

int CopyDescriptor(int from, bool blocking, UniqueFd* fd) {
  fd->reset(fcntl(from, F_DUPFD_CLOEXEC, 0));
  if (!fd->valid()) return errno;
  if (!blocking) return 0;
  int flags = fcntl(fd->get(), F_GETFL);
  if (flags < 0) return errno;
  if ((flags & O_NONBLOCK) != 0 && fcntl(fd->get(), F_SETFL, flags & ~O_NONBLOCK) != 0) return errno;
  return 0;
}

int MakePipe(bool child_reads, UniqueFd* fd, UniqueFd* ours) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  fd->reset(ends[child_reads ? 0 : 1]);
  ours->reset(ends[child_reads ? 1 : 0]);
  return fcntl(ours->get(), F_SETFL, O_NONBLOCK) == 0 ? 0 : errno;
}

}  // namespace procmuster
