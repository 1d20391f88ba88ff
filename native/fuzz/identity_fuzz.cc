#include <cstdlib>
#include <string>

#include "control/identity.h"

using procmuster::ParseStatFacts;
using procmuster::StatFacts;

// Any bytes parse or not; and whatever the name of a sound line is, the start time is the line's own.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  StatFacts facts;
  ParseStatFacts(reinterpret_cast<const char*>(data), size, &facts);
  std::string line = "7 (" + std::string(reinterpret_cast<const char*>(data), size) +
                     ") S 1 2 3 4 -1 2097152 7 8 9 10 11 12 13 14 20 0 1 0 77 88 99\n";
  if (!ParseStatFacts(line.data(), line.size(), &facts)) abort();
  if (facts.state != 'S' || facts.ppid != 1 || facts.start_ticks != 77 || !facts.kernel_thread()) abort();
  return 0;
}
