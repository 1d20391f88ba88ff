#include "inspect/smaps.h"

#include <charconv>

namespace procmuster {
namespace {

// Takes the number at the front of the text, and the character behind it.
template <typename Number>
bool Take(std::string_view* text, int base, char behind, Number* out) {
  const char* end = text->data() + text->size();
  auto [at, error] = std::from_chars(text->data(), end, *out, base);
  if (error != std::errc() || at == end || *at != behind) return false;
  text->remove_prefix(static_cast<size_t>(at + 1 - text->data()));
  return true;
}

struct SmapsKey {
  std::string_view name;
  MemoryField field;
};

constexpr SmapsKey kKeys[] = {
    {"Rss", kRss},
    {"Pss", kPss},
    {"Shared_Clean", kSharedClean},
    {"Shared_Dirty", kSharedDirty},
    {"Private_Clean", kPrivateClean},
    {"Private_Dirty", kPrivateDirty},
    {"Anonymous", kAnonymous},
    {"AnonHugePages", kHugePages},
    {"Shared_Hugetlb", kHugetlb},
    {"Private_Hugetlb", kHugetlb},
    {"Swap", kSwap},
    {"SwapPss", kSwapPss},
    {"Locked", kLocked},
};

}  // namespace

bool IsMapsLine(std::string_view line) {
  return !line.empty() && ((line[0] >= '0' && line[0] <= '9') || (line[0] >= 'a' && line[0] <= 'f'));
}

bool ParseMapsLine(std::string_view line, MapsLine* out) {
  if (!Take(&line, 16, '-', &out->start) || !Take(&line, 16, ' ', &out->end)) return false;
  if (out->end < out->start || line.size() < 5 || line[4] != ' ') return false;
  out->permissions = static_cast<uint8_t>((line[0] == 'r' ? kRead : 0) | (line[1] == 'w' ? kWrite : 0) |
                                          (line[2] == 'x' ? kExecute : 0) | (line[3] == 's' ? kShared : 0));
  line.remove_prefix(5);
  if (!Take(&line, 16, ' ', &out->offset) || !Take(&line, 16, ':', &out->device_major) ||
      !Take(&line, 16, ' ', &out->device_minor)) {
    return false;
  }
  // The kernel ends the line of nameless memory behind the inode, or behind one blank.
  const char* end = line.data() + line.size();
  auto [at, error] = std::from_chars(line.data(), end, out->inode);
  if (error != std::errc() || (at != end && *at != ' ')) return false;
  line.remove_prefix(static_cast<size_t>(at - line.data()));
  size_t name = line.find_first_not_of(' ');
  out->name = name == std::string_view::npos ? std::string_view() : line.substr(name);
  return true;
}

void AddSmapsLine(std::string_view line, uint64_t* fields) {
  size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string_view name = line.substr(0, colon);
  for (const SmapsKey& key : kKeys) {
    if (key.name != name) continue;
    line.remove_prefix(colon + 1);
    size_t digit = line.find_first_not_of(' ');
    if (digit == std::string_view::npos) return;
    uint64_t kilobytes = 0;
    std::from_chars(line.data() + digit, line.data() + line.size(), kilobytes);
    fields[key.field] += kilobytes * 1024;
    return;
  }
}

}  // namespace procmuster
