#include "source/procfs/parse.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  int32_t score;
  procmuster::ParseOomScoreAdj({reinterpret_cast<const char*>(data), size}, &score);
  return 0;
}
