#include "source/procfs/parse.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  procmuster::StatusFields fields;
  procmuster::ParseStatus({reinterpret_cast<const char*>(data), size}, &fields);
  return 0;
}
