#include <cstdlib>

#include "source/procfs/pid_list.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<int32_t> pids;
  procmuster::ParseDirectory(reinterpret_cast<const char*>(data), size, &pids);
  for (int32_t pid : pids) {
    if (pid <= 0) abort();
  }
  return 0;
}
