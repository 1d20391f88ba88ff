#include <cstdlib>

#include "inspect/memory_map.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  size_t cut = text.size() * data[0] / 255;
  procmuster::MapContext context;
  context.executable = "/a";
  context.threads = {{2, 0}, {3, 0x7f1000000f00}};
  procmuster::MemoryMap map;
  map.Feed(text.substr(0, cut));
  map.Feed(text.substr(cut));
  map.Classify(context);
  if (map.Encode(context).size() < map.regions().size() * sizeof(double)) abort();
  return 0;
}
