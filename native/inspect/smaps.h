// Lines of proc_pid_maps(5) and proc_pid_smaps(5): bytes in, struct out, no I/O and no allocation.
#pragma once

#include <cstdint>
#include <string_view>

namespace procmuster {

// Bytes of a mapping; src/inspect/memory_layout.ts names the same ones in the same order.
enum MemoryField : int {
  kSize,
  kRss,
  kPss,
  kSharedClean,
  kSharedDirty,
  kPrivateClean,
  kPrivateDirty,
  kAnonymous,
  kHugePages,  // transparent ones: AnonHugePages
  kHugetlb,    // Shared_Hugetlb and Private_Hugetlb, which are no part of rss
  kSwap,
  kSwapPss,
  kLocked,
  kMemoryFields,
};

enum Permission : uint8_t { kRead = 1, kWrite = 2, kExecute = 4, kShared = 8 };

struct MapsLine {
  uint64_t start;
  uint64_t end;
  uint8_t permissions;
  uint64_t offset;
  uint32_t device_major;
  uint32_t device_minor;
  uint64_t inode;
  std::string_view name;  // into the parsed text; empty for nameless anonymous memory
};

// Whether the line begins a mapping; the lines about it begin with a capital letter.
bool IsMapsLine(std::string_view line);
// A line without its newline. False for text that the kernel would not write; *out is unspecified then.
bool ParseMapsLine(std::string_view line, MapsLine* out);
// Adds what a line such as "Rss:   8 kB" tells to fields[kMemoryFields]; other lines are passed over.
void AddSmapsLine(std::string_view line, uint64_t* fields);

}  // namespace procmuster
