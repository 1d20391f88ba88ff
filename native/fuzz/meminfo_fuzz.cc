#include "source/procfs/parse.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  procmuster::ParseMemTotal({reinterpret_cast<const char*>(data), size});
  return 0;
}
