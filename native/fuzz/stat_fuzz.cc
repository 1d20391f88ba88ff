#include <cstdlib>
#include <string>

#include "source/procfs/parse.h"

using procmuster::ParseStat;
using procmuster::StatFields;

// Any bytes parse or not; and any bytes as the name of a sound line come back as that name, with the fields
// sound.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  StatFields fields;
  if (ParseStat(text, &fields)) {
    bool inside = fields.comm.data() >= text.data() &&
                  fields.comm.data() + fields.comm.size() < text.data() + text.size();
    if (!inside) abort();
  }
  std::string line =
      "7 (" + std::string(text) +
      ") S 1 2 3 4 -1 6 7 8 9 10 11 12 13 14 20 0 1 0 77 88 99 0 0 0 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0\n";
  if (!ParseStat(line, &fields) || fields.comm != text || fields.ppid != 1 || fields.start_ticks != 77)
    abort();
  return 0;
}
