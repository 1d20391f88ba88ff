// sleeper SECONDS: a thread on each core sleeps 1 ms in a loop; prints JSON with how late it woke, in ms.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

enum { kMicroseconds = 100000 };  // lateness counted in steps of 1 us; the last one holds what is later

struct Sleeper {
  int core;
  double seconds;
  unsigned counts[kMicroseconds];
  unsigned long wakes;
  double worst_us;
};

static double NowUs(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void* Run(void* argument) {
  struct Sleeper* self = argument;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(self->core, &cores);
  sched_setaffinity(0, sizeof cores, &cores);
  prctl(PR_SET_TIMERSLACK, 1);
  const struct timespec pause = {.tv_nsec = 1000000};
  double end = NowUs() + self->seconds * 1e6, began;
  while ((began = NowUs()) < end) {
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    double late = NowUs() - began - 1000;
    if (late < 0) late = 0;
    self->counts[late < kMicroseconds ? (int)late : kMicroseconds - 1]++;
    self->wakes++;
    if (late > self->worst_us) self->worst_us = late;
  }
  return NULL;
}

static double Quantile(const unsigned* counts, unsigned long total, double part) {
  unsigned long upTo = (unsigned long)((double)total * part), sum = 0;
  for (int i = 0; i < kMicroseconds; i++) {
    sum += counts[i];
    if (sum > upTo) return i / 1e3;
  }
  return kMicroseconds / 1e3;
}

int main(int argc, char** argv) {
  double seconds = argc > 1 ? atof(argv[1]) : 5, worst = 0;
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof allowed, &allowed);
  static struct Sleeper* sleepers[CPU_SETSIZE];
  static pthread_t threads[CPU_SETSIZE];
  static unsigned counts[kMicroseconds];
  unsigned long total = 0;
  int cores = 0;
  for (int core = 0; core < CPU_SETSIZE; core++) {
    if (!CPU_ISSET(core, &allowed)) continue;
    struct Sleeper* sleeper = calloc(1, sizeof *sleeper);
    sleeper->core = core;
    sleeper->seconds = seconds;
    pthread_create(&threads[cores], NULL, Run, sleeper);
    sleepers[cores++] = sleeper;
  }
  for (int i = 0; i < cores; i++) {
    pthread_join(threads[i], NULL);
    for (int at = 0; at < kMicroseconds; at++) counts[at] += sleepers[i]->counts[at];
    total += sleepers[i]->wakes;
    if (sleepers[i]->worst_us > worst) worst = sleepers[i]->worst_us;
  }
  printf("{\"cores\":%d,\"wakes\":%lu,\"p50Ms\":%.3f,\"p999Ms\":%.3f,\"worstMs\":%.3f}\n", cores, total,
         Quantile(counts, total, 0.5), Quantile(counts, total, 0.999), worst / 1e3);
  return 0;
}
