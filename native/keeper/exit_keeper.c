// A program of its own, small enough to stay with each job: it waits for the child that it has by the exec of
// its predecessor in this process, and keeps how that ended.
//   muster-keeper FILE PID START_TICKS
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

// Whoever reads a pipe that this process has from its predecessor would wait for its end as long as the job
// runs.
static void LeaveDescriptors(void) {
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; fd++) {
    if (dup2(null, fd) < 0) close(fd);  // there is no /dev here
  }
  if (syscall(SYS_close_range, 3, ~0u, 0) == 0) return;
  struct rlimit limit = {0, 65536};
  getrlimit(RLIMIT_NOFILE, &limit);
  for (int fd = 3; fd < (int)limit.rlim_cur; fd++) close(fd);
}

// Whole or not at all.
static int Keep(const char* path, const char* text) {
  char fresh[4096];
  if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh)) return ENAMETOOLONG;
  int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  size_t size = strlen(text);
  int error = write(fd, text, size) == (ssize_t)size ? 0 : EIO;
  if (close(fd) != 0) error = errno;
  if (error == 0 && rename(fresh, path) != 0) error = errno;
  if (error != 0) unlink(fresh);
  return error;
}

int main(int count, char** words) {
  if (count != 4) return 2;
  LeaveDescriptors();
  // No file system stays busy for it.
  if (chdir("/") != 0) return 1;
  // Its predecessor may have handled or blocked some.
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);

  pid_t pid = (pid_t)strtol(words[2], NULL, 10);
  int status;
  pid_t ended;
  do {
    ended = waitpid(pid, &status, 0);
  } while (ended < 0 && errno == EINTR);
  if (ended != pid) return 1;

  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  char how[64];
  if (WIFEXITED(status)) {
    snprintf(how, sizeof(how), "\"exitCode\":%d,\"signal\":null", WEXITSTATUS(status));
  } else {
    snprintf(how, sizeof(how), "\"exitCode\":null,\"signal\":%d", WTERMSIG(status));
  }
  char text[256];
  snprintf(text, sizeof(text), "{\"pid\":%d,\"startTicks\":%s,%s,\"coreDumped\":%s,\"endedAtMs\":%lld}\n",
           pid, words[3], how, WCOREDUMP(status) ? "true" : "false",
           (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
  return Keep(words[1], text) == 0 ? 0 : 1;
}
