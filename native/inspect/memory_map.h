// The mappings of a process, sorted into classes; no I/O.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "inspect/smaps.h"

namespace procmuster {

// src/inspect/memory_layout.ts names the same classes in the same order.
enum class MemoryClass : uint8_t {
  kText,  // of the program itself, read-only data included
  kData,
  kBss,  // of the program and of its libraries
  kHeap,
  kStack,
  kThreadStack,
  kSharedObject,
  kMappedFile,
  kSharedMemory,
  kAnonymous,
  kVdso,
  kVvar,
  kVsyscall,
  kOther,  // devices, rings of io_uring and perf, sockets
  kCount,
};

struct ThreadStack {
  int32_t tid = 0;
  uint64_t stack_pointer = 0;  // 0: not known
};

// What the mappings alone do not tell.
struct MapContext {
  std::string executable;            // as the link `exe` has it; empty when it is not known
  std::vector<ThreadStack> threads;  // without the main thread
  uint64_t main_stack_pointer = 0;
};

struct MemoryRegion {
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t offset = 0;
  uint64_t inode = 0;
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  uint32_t name = 0;  // index of names(); 0 is the empty one
  int32_t tid = 0;    // of a thread's stack, 0 when it is not known whose
  uint8_t permissions = 0;
  MemoryClass kind = MemoryClass::kOther;
  bool certain = true;
  std::array<uint64_t, kMemoryFields> fields{};
};

class MemoryMap {
 public:
  // The text of smaps or maps in pieces of any size, then Classify once.
  void Feed(std::string_view text);
  void Classify(const MapContext& context);

  const std::deque<MemoryRegion>& regions() const { return regions_; }
  const std::vector<std::string>& names() const { return names_; }
  // Whether the text told more than the bounds of each mapping.
  bool has_usage() const { return has_usage_; }
  // What src/inspect/memory_layout.ts takes apart: doubles, numbers of 32 bits, then the bytes of the names.
  std::string Encode(const MapContext& context) const;

 private:
  void Line(std::string_view line);
  uint32_t NameIndex(std::string_view name);
  MemoryClass ClassOf(const MemoryRegion& region, std::string_view executable) const;
  void FindThreadStacks(const MapContext& context);
  void GuessThreadStacks(size_t missing);
  bool HasGuard(size_t index) const;

  std::string rest_;  // a line without its end yet
  // Grows without a copy: fresh memory for 60,000 mappings costs more than to parse them.
  std::deque<MemoryRegion> regions_;
  std::vector<std::string> names_{std::string()};
  std::unordered_map<std::string, uint32_t> indexes_;
  std::vector<bool> executable_names_;
  bool has_usage_ = false;
};

}  // namespace procmuster
