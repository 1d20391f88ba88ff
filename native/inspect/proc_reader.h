// Reads files of one process in /proc that may take its mmap_lock, or walk its page tables, for a long time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace procmuster {

struct FileContent {
  bool done = false;
  int error = 0;  // ESRCH: the process has ended
  bool truncated = false;
  std::string data;
};

// Takes content by its index; false when nobody waits for more.
using Publish = std::function<bool(size_t, FileContent)>;

struct ReadRequest {
  std::string proc_root;
  int pid = 0;
  int64_t start_ticks = -1;  // -1: whoever has the pid now
  std::vector<std::string> files;
  size_t max_bytes = 0;  // of each file
};

// Reads one file after the other and hands each to `publish` with its index; stops when that returns false.
// `exe`, `cwd` and `root`, also of a thread, are read as links; `fd` as lines "number flags target", `ns` as
// "name target", `task` as thread ids, with control characters and backslashes of targets as \xNN. Names with
// a colon are no files, but what is made of several: `map:smaps` and `map:maps` of memory_map_reader.h,
// `fd:details` of descriptors.h, `task:details` and `task:stacks` of threads.h, `net:unix_peers` of
// unix_peers.h.
void ReadProcessFiles(const ReadRequest& request, const Publish& publish);

}  // namespace procmuster
