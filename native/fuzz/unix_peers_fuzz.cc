#include <cstdlib>

#include "inspect/unix_peers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bool done = false;
  std::string lines;
  int error = procmuster::ParseUnixPeers(data, size, &done, &lines);
  if (error < 0 || (error != 0 && done)) abort();
  return 0;
}
