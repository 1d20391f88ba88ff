#include "inspect/memory_map.h"

#include <algorithm>
#include <bit>
#include <map>

namespace procmuster {
namespace {

// Paths of 4096 bytes, with every byte escaped, and the numbers before them.
constexpr size_t kLongestLine = 20 * 1024;
// A stack pointer this near to the end of its mapping is at the top of a stack, and not within some arena.
constexpr uint64_t kTopOfStack = 256 * 1024;
constexpr uint64_t kLargestGuard = 64 * 1024;
constexpr uint64_t kSmallestStack = 16 * 1024;
constexpr std::string_view kDeleted = " (deleted)";

bool IsLibrary(std::string_view path) {
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  size_t slash = path.rfind('/');
  std::string_view file = path.substr(slash + 1);
  return file.ends_with(".so") || file.find(".so.") != std::string_view::npos;
}

// Shared memory of no file system that a path would lead to; the kernel calls it deleted.
bool IsSharedMemory(std::string_view path) {
  if (path.starts_with("/dev/shm/") || path.starts_with("[anon_shmem:")) return true;
  if (!path.ends_with(kDeleted)) return false;
  return path.starts_with("/SYSV") || path.starts_with("/memfd:") || path.starts_with("/dev/zero ") ||
         path.starts_with("/anon_hugepage ");
}

bool IsPrivateData(const MemoryRegion& region) {
  return region.permissions == (kRead | kWrite) && region.inode == 0;
}

}  // namespace

void MemoryMap::Feed(std::string_view text) {
  while (!text.empty()) {
    size_t newline = text.find('\n');
    if (newline == std::string_view::npos) {
      if (rest_.size() + text.size() <= kLongestLine) rest_.append(text);
      return;
    }
    if (rest_.empty()) {
      Line(text.substr(0, newline));
    } else {
      rest_.append(text.substr(0, newline));
      Line(rest_);
      rest_.clear();
    }
    text.remove_prefix(newline + 1);
  }
}

void MemoryMap::Line(std::string_view line) {
  if (!IsMapsLine(line)) {
    if (regions_.empty()) return;
    has_usage_ = true;
    AddSmapsLine(line, regions_.back().fields.data());
    return;
  }
  MapsLine parsed;
  if (!ParseMapsLine(line, &parsed)) return;
  MemoryRegion& region = regions_.emplace_back();
  region.start = parsed.start;
  region.end = parsed.end;
  region.permissions = parsed.permissions;
  region.offset = parsed.offset;
  region.device_major = parsed.device_major;
  region.device_minor = parsed.device_minor;
  region.inode = parsed.inode;
  region.fields[kSize] = parsed.end - parsed.start;
  region.name = NameIndex(parsed.name);
}

uint32_t MemoryMap::NameIndex(std::string_view name) {
  if (name.empty()) return 0;
  // Mappings of one file stand side by side.
  if (name == names_.back()) return static_cast<uint32_t>(names_.size() - 1);
  auto [found, added] = indexes_.try_emplace(std::string(name), static_cast<uint32_t>(names_.size()));
  if (added) names_.emplace_back(name);
  return found->second;
}

void MemoryMap::Classify(const MapContext& context) {
  executable_names_.assign(names_.size(), false);
  for (const MemoryRegion& region : regions_) {
    if ((region.permissions & kExecute) != 0) executable_names_[region.name] = true;
  }
  for (size_t i = 0; i < regions_.size(); i++) {
    MemoryRegion& region = regions_[i];
    region.kind = ClassOf(region, context.executable);
    if (i == 0 || region.kind != MemoryClass::kAnonymous || !IsPrivateData(region)) continue;
    // What a loader zeroes follows the writable data of the same file at once, and has no name.
    const MemoryRegion& before = regions_[i - 1];
    bool loaded = before.kind == MemoryClass::kData ||
                  (before.kind == MemoryClass::kSharedObject && (before.permissions & kWrite) != 0);
    if (loaded && before.end == region.start && region.name == 0) region.kind = MemoryClass::kBss;
  }
  FindThreadStacks(context);
}

MemoryClass MemoryMap::ClassOf(const MemoryRegion& region, std::string_view executable) const {
  std::string_view name = names_[region.name];
  bool shared = (region.permissions & kShared) != 0;
  if (name.empty()) return shared ? MemoryClass::kSharedMemory : MemoryClass::kAnonymous;
  if (name == "[heap]") return MemoryClass::kHeap;
  if (name == "[stack]") return MemoryClass::kStack;
  if (name.starts_with("[stack:")) return MemoryClass::kThreadStack;  // Linux 3.4 to 4.4
  if (name == "[vdso]") return MemoryClass::kVdso;
  if (name.starts_with("[vvar")) return MemoryClass::kVvar;
  if (name == "[vsyscall]") return MemoryClass::kVsyscall;
  if (name.starts_with("[anon:")) return MemoryClass::kAnonymous;
  if (IsSharedMemory(name)) return MemoryClass::kSharedMemory;
  if (name[0] != '/' || region.inode == 0) return MemoryClass::kOther;
  if (!executable.empty() && name == executable) {
    return (region.permissions & kWrite) != 0 ? MemoryClass::kData : MemoryClass::kText;
  }
  if (name.starts_with("/dev/")) return MemoryClass::kOther;
  bool code = executable_names_[region.name] || IsLibrary(name);
  return code && !shared ? MemoryClass::kSharedObject : MemoryClass::kMappedFile;
}

bool MemoryMap::HasGuard(size_t index) const {
  if (index == 0) return false;
  const MemoryRegion& guard = regions_[index - 1];
  return guard.permissions == 0 && guard.inode == 0 && guard.end == regions_[index].start &&
         guard.fields[kSize] <= kLargestGuard;
}

void MemoryMap::FindThreadStacks(const MapContext& context) {
  size_t missing = 0;
  for (const ThreadStack& thread : context.threads) {
    if (thread.stack_pointer == 0) {
      missing++;
      continue;
    }
    auto after =
        std::upper_bound(regions_.begin(), regions_.end(), thread.stack_pointer,
                         [](uint64_t pointer, const MemoryRegion& region) { return pointer < region.end; });
    if (after == regions_.end() || thread.stack_pointer < after->start) continue;
    MemoryRegion& region = *after;
    if (region.kind != MemoryClass::kAnonymous || !IsPrivateData(region)) continue;
    bool guarded = HasGuard(static_cast<size_t>(after - regions_.begin()));
    if (!guarded && region.end - thread.stack_pointer > kTopOfStack) continue;
    region.kind = MemoryClass::kThreadStack;
    region.certain = guarded;
    region.tid = thread.tid;
  }
  if (missing > 0) GuessThreadStacks(missing);
}

// A stack is writable memory above a guard; those of one process are mostly of one size.
void MemoryMap::GuessThreadStacks(size_t missing) {
  std::map<uint64_t, size_t> of_size;
  std::vector<size_t> candidates;
  for (size_t i = 1; i < regions_.size(); i++) {
    const MemoryRegion& region = regions_[i];
    if (region.kind != MemoryClass::kAnonymous || !IsPrivateData(region) || !HasGuard(i)) continue;
    if (region.fields[kSize] < kSmallestStack) continue;
    candidates.push_back(i);
    of_size[region.fields[kSize]]++;
  }
  std::stable_sort(candidates.begin(), candidates.end(), [&](size_t a, size_t b) {
    return of_size[regions_[a].fields[kSize]] > of_size[regions_[b].fields[kSize]];
  });
  candidates.resize(std::min(candidates.size(), missing));
  for (size_t i : candidates) {
    regions_[i].kind = MemoryClass::kThreadStack;
    regions_[i].certain = false;
  }
}

std::string MemoryMap::Encode(const MapContext& context) const {
  constexpr size_t kWide = 4;
  constexpr size_t kNarrow = 8;
  constexpr size_t kTotals = static_cast<size_t>(MemoryClass::kCount) * (1 + kMemoryFields);
  size_t name_bytes = 0;
  for (const std::string& name : names_) name_bytes += name.size();
  size_t values = 0;
  for (const MemoryRegion& region : regions_) {
    values += kMemoryFields - std::count(std::begin(region.fields), std::end(region.fields), 0u);
  }
  std::string encoded;
  encoded.reserve((6 + kTotals + regions_.size() * kWide + names_.size() + values) * sizeof(double) +
                  regions_.size() * kNarrow * sizeof(uint32_t) + name_bytes);
  // Addresses are whole pages, so that they fit a double.
  auto put = [&encoded](auto value) {
    auto number = static_cast<double>(value);
    encoded.append(reinterpret_cast<const char*>(&number), sizeof(number));
  };
  auto put_narrow = [&encoded](uint32_t number) {
    encoded.append(reinterpret_cast<const char*>(&number), sizeof(number));
  };

  put(regions_.size());
  put(names_.size());
  put(has_usage_);
  put(std::count_if(context.threads.begin(), context.threads.end(),
                    [](const ThreadStack& thread) { return thread.stack_pointer == 0; }));
  put(context.main_stack_pointer);
  put(values);
  std::array<std::array<double, 1 + kMemoryFields>, static_cast<size_t>(MemoryClass::kCount)> totals{};
  for (const MemoryRegion& region : regions_) {
    auto& total = totals[static_cast<size_t>(region.kind)];
    total[0]++;
    for (size_t i = 0; i < kMemoryFields; i++) total[1 + i] += static_cast<double>(region.fields[i]);
  }
  for (const auto& total : totals) {
    for (double value : total) put(value);
  }
  for (const MemoryRegion& region : regions_) {
    for (uint64_t value : {region.start, region.end, region.offset, region.inode}) put(value);
  }
  size_t end = 0;
  for (const std::string& name : names_) put(end += name.size());
  // V8 collects garbage for every few megabytes that it is handed, and most fields of most regions are zero.
  for (const MemoryRegion& region : regions_) {
    for (uint64_t value : region.fields) {
      if (value != 0) put(value);
    }
  }
  uint32_t first = 0;
  for (const MemoryRegion& region : regions_) {
    uint32_t present = 0;
    for (size_t i = 0; i < kMemoryFields; i++) present |= (region.fields[i] != 0 ? 1u : 0u) << i;
    for (uint32_t value : {region.device_major, region.device_minor, region.name}) put_narrow(value);
    put_narrow(static_cast<uint32_t>(region.tid));
    put_narrow(region.permissions);
    put_narrow(static_cast<uint32_t>(region.kind) * 2 + (region.certain ? 1 : 0));
    put_narrow(present);
    put_narrow(first);
    first += static_cast<uint32_t>(std::popcount(present));
  }
  for (const std::string& name : names_) encoded += name;
  return encoded;
}

}  // namespace procmuster
