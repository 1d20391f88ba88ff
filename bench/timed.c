// timed WARMUPS SAMPLES PROGRAM ARGS...: runs a program, its output thrown away, and prints JSON with the
// wall and CPU time of each run after the warm-ups, children of it included.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 4) return 64;
  int warmups = atoi(argv[1]), samples = atoi(argv[2]);
  printf("{\"samples\":[");
  for (int i = -warmups; i < samples; i++) {
    struct timespec begin, end;
    fflush(stdout);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pid_t child = fork();
    if (child == 0) {
      int null = open("/dev/null", O_WRONLY);
      dup2(null, 1);
      execvp(argv[3], argv + 3);
      _exit(127);
    }
    int status;
    struct rusage use;
    if (wait4(child, &status, 0, &use) < 0 || status != 0) return 1;
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (i < 0) continue;
    double wall = (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
    double cpu = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e3 +
                 (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e3;
    printf("%s{\"wallMs\":%.3f,\"cpuMs\":%.3f}", i ? "," : "", wall, cpu);
  }
  printf("]}\n");
  return 0;
}
