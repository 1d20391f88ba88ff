// The floor that samplers are compared with: one thread, getdents64 of /proc, then open, read and close of
// stat and statm of every process; nothing is parsed. floor WARMUPS SAMPLES prints JSON with the times of
// each sample.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct Entry {  // linux_dirent64
  unsigned long long inode;
  long long offset;
  unsigned short length;
  unsigned char type;
  char name[];
};

static char directory[64 * 1024], text[8192];

static long ReadOne(int proc, const char* pid, const char* file) {
  char path[64];
  size_t length = strlen(pid);
  memcpy(path, pid, length);
  strcpy(path + length, file);
  int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  long got = read(fd, text, sizeof text);
  close(fd);
  return got > 0 ? got : 0;
}

static long Sample(int proc, long* bytes) {
  long processes = 0;
  lseek(proc, 0, SEEK_SET);
  for (;;) {
    long got = syscall(SYS_getdents64, proc, directory, sizeof directory);
    if (got <= 0) return processes;
    for (long at = 0; at < got;) {
      struct Entry* entry = (struct Entry*)(directory + at);
      at += entry->length;
      if (entry->name[0] < '1' || entry->name[0] > '9') continue;
      *bytes += ReadOne(proc, entry->name, "/stat") + ReadOne(proc, entry->name, "/statm");
      processes++;
    }
  }
}

static double CpuMs(void) {
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e3 +
         (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e3;
}

static double WallMs(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

int main(int argc, char** argv) {
  int warmups = argc > 1 ? atoi(argv[1]) : 3, samples = argc > 2 ? atoi(argv[2]) : 5;
  int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  long bytes = 0, processes = 0;
  for (int i = 0; i < warmups; i++) Sample(proc, &bytes);
  printf("{\"samples\":[");
  for (int i = 0; i < samples; i++) {
    double wall = WallMs(), cpu = CpuMs();
    processes = Sample(proc, &bytes);
    printf("%s{\"wallMs\":%.3f,\"cpuMs\":%.3f}", i ? "," : "", WallMs() - wall, CpuMs() - cpu);
  }
  printf("],\"processes\":%ld,\"bytes\":%ld}\n", processes, bytes);
  return 0;
}
