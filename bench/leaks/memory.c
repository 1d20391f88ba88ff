// memory MODE SECONDS: a process whose memory takes one of the courses that are told apart, for real.
//   leak   keeps a block of every turn             steps  keeps a large block at times
//   walk   a bounded number of blocks of all sizes  steady  the same block, touched again
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { kTurnsPerSecond = 50, kBlocks = 512, kBase = 24 << 20 };

static void* touched(size_t bytes) {
  char* block = malloc(bytes);
  if (block == NULL) exit(1);
  memset(block, 1, bytes);
  return block;
}

int main(int argc, char** argv) {
  if (argc < 3) return 64;
  const char* mode = argv[1];
  int turns = atoi(argv[2]) * kTurnsPerSecond;
  srand(7);
  char* base = touched(kBase);
  static void* blocks[kBlocks];
  void* kept = NULL;
  for (int turn = 0; turn < turns; turn++) {
    // A leak that the compiler cannot see through: each block points to the one before.
    size_t bytes = 0;
    if (strcmp(mode, "leak") == 0) bytes = 1024 + rand() % 8192;
    if (strcmp(mode, "steps") == 0 && rand() % (turns / 16) == 0) bytes = 1 << 20;
    if (bytes > 0) {
      void** block = touched(bytes);
      *block = kept;
      kept = block;
    }
    if (strcmp(mode, "walk") == 0) {
      int place = rand() % kBlocks;
      free(blocks[place]);
      blocks[place] = rand() % 2 ? touched(1 + rand() % 65536) : NULL;
    }
    base[rand() % kBase] = (char)turn;
    usleep(1000000 / kTurnsPerSecond);
  }
  return kept == (void*)1;
}
