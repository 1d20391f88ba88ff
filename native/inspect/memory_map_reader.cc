#include "inspect/memory_map_reader.h"

#include <stdlib.h>

#include "inspect/memory_map.h"
#include "inspect/process_dir.h"

namespace procmuster {
namespace {

// As seq_file writes paths into maps.
std::string WithoutNewlines(const std::string& path) {
  std::string escaped;
  for (char c : path) c == '\n' ? escaped.append("\\012") : escaped.append(1, c);
  return escaped;
}

// Second last number of proc_pid_syscall(5): "running", "-1 SP PC" or "NUMBER ARGUMENTS... SP PC". 0 when it
// is not known.
uint64_t StackPointer(int tasks, const char* tid) {
  std::string text;
  if (ReadText(tasks, (std::string(tid) + "/syscall").c_str(), 512, &text) != 0) return 0;
  size_t last = text.rfind(' ');
  if (last == std::string::npos || last == 0) return 0;
  size_t second = text.rfind(' ', last - 1);
  return second == std::string::npos ? 0 : strtoull(text.c_str() + second, nullptr, 16);
}

}  // namespace

int ReadMemoryMap(int process_dir, const char* file, std::string* encoded) {
  UniqueFd living;
  if (int error = OpenLivingDir(process_dir, &living)) return error;
  MapContext context;
  std::string executable;
  if (ReadLink(living.get(), "exe", &executable) == 0) context.executable = WithoutNewlines(executable);
  std::string stat;
  ReadText(process_dir, "stat", 32, &stat);
  int32_t main = static_cast<int32_t>(strtol(stat.c_str(), nullptr, 10));
  ForEachEntry(process_dir, "task", [&](int tasks, const char* name) {
    auto tid = static_cast<int32_t>(strtol(name, nullptr, 10));
    uint64_t pointer = StackPointer(tasks, name);
    if (tid == main) {
      context.main_stack_pointer = pointer;
    } else {
      context.threads.push_back({tid, pointer});
    }
  });
  MemoryMap map;
  if (int error = ReadPieces(living.get(), file, [&](std::string_view piece) { map.Feed(piece); })) {
    return error;
  }
  map.Classify(context);
  *encoded = map.Encode(context);
  return 0;
}

}  // namespace procmuster
