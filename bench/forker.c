// forker RATE SECONDS: makes RATE children a second, each of which ends at once with a code that follows from
// its number: child n exits with n % 256, and each tenth ends itself by SIGTERM. Prints what it reaped, in
// order, as "PID CODE" lines, CODE being the exit code or the negative signal; last "made COUNT LATE_MS".
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double Now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void SleepUntil(double when) {
  struct timespec time = {.tv_sec = (time_t)when, .tv_nsec = (long)((when - (double)(time_t)when) * 1e9)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static int Reap(int flags) {
  int status;
  pid_t pid = waitpid(-1, &status, flags);
  if (pid <= 0) return 0;
  printf("%d %d\n", (int)pid, WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
  return 1;
}

int main(int argc, char** argv) {
  double rate = argc > 1 ? atof(argv[1]) : 2000, seconds = argc > 2 ? atof(argv[2]) : 5;
  static char buffer[1 << 20];
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  long count = (long)(rate * seconds), alive = 0;
  double began = Now();
  for (long n = 0; n < count; n++) {
    double due = began + (double)n / rate;
    if (Now() < due) SleepUntil(due);
    pid_t child = fork();
    if (child == 0) {
      if (n % 10 == 9) kill(getpid(), SIGTERM);
      _exit((int)(n % 256));
    }
    if (child < 0) {
      fprintf(stderr, "forker: child %ld: %s\n", n, strerror(errno));
      return 1;
    }
    alive++;
    while (alive > 0 && Reap(WNOHANG)) alive--;
  }
  double late = Now() - began - seconds;
  while (alive > 0 && Reap(0)) alive--;
  printf("made %ld %.0f\n", count, late > 0 ? late * 1e3 : 0);
  return 0;
}
