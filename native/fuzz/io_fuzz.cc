#include "source/procfs/parse.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  procmuster::IoFields fields;
  procmuster::ParseIo({reinterpret_cast<const char*>(data), size}, &fields);
  return 0;
}
