// fleet N [CHURN]: N children that wait, named f<pid>.<sequence number>; with CHURN, that many deaths and
// births a second, of children chosen at random. Prints "ready" once all are there, and the first and last
// pid. The children die with it, and it ends when its standard input does.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t self;
static unsigned long births;

static double Now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

// Each child executes the program anew. Children that were only forked would share the parent's pages 20,000
// ways, and whatever looks up who maps a page (DAMON, compaction, swap) then holds a core for milliseconds.
static pid_t Birth(void) {
  char parent[16], number[16];
  snprintf(parent, sizeof parent, "%d", (int)self);
  snprintf(number, sizeof number, "%lu", ++births % 10000000);
  char* arguments[] = {"fleet", "child", parent, number, NULL};
  pid_t child = vfork();
  if (child != 0) return child;
  execv("/proc/self/exe", arguments);
  _exit(127);
}

static int Live(const char* parent, const char* number) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != atoi(parent)) return 0;
  char name[16];
  snprintf(name, sizeof name, "f%d.%s", (int)getpid(), number);
  prctl(PR_SET_NAME, name);
  close(0);
  close(1);
  for (;;) pause();
}

static void EndAll(pid_t* children, long count) {
  for (long i = 0; i < count; i++) kill(children[i], SIGKILL);
  while (wait(NULL) > 0 || errno == EINTR) {
  }
}

int main(int argc, char** argv) {
  if (argc == 4 && strcmp(argv[1], "child") == 0) return Live(argv[2], argv[3]);
  long count = argc > 1 ? atol(argv[1]) : 0;
  double churn = argc > 2 ? atof(argv[2]) : 0;
  self = getpid();
  pid_t* children = calloc((size_t)count + 1, sizeof *children);
  for (long i = 0; i < count; i++) {
    children[i] = Birth();
    if (children[i] > 0) continue;
    fprintf(stderr, "fleet: %ld of %ld processes: %s\n", i, count, strerror(errno));
    EndAll(children, i);
    return 1;
  }
  printf("ready %d %d\n", count ? (int)children[0] : 0, count ? (int)children[count - 1] : 0);
  fflush(stdout);

  double done = 0, began = Now();
  uint64_t random = 88172645463325252ull;
  for (;;) {
    struct pollfd input = {.fd = 0, .events = POLLIN};
    char byte;
    if (poll(&input, 1, churn > 0 ? 5 : -1) > 0 && read(0, &byte, 1) <= 0) break;
    for (double due = (Now() - began) * churn; done < due && count > 0; done++) {
      random ^= random << 13;
      random ^= random >> 7;
      random ^= random << 17;
      long i = (long)(random % (uint64_t)count);
      kill(children[i], SIGKILL);
      waitpid(children[i], NULL, 0);
      pid_t next = Birth();
      if (next < 0) {
        // The place stays filled by someone: a pid must never be signalled twice.
        fprintf(stderr, "fleet: birth: %s\n", strerror(errno));
        children[i] = children[--count];
      } else {
        children[i] = next;
      }
    }
  }
  EndAll(children, count);
  return 0;
}
