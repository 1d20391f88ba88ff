#include "bpf/kernel_program.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace procmuster {

bool BpfBuilt() { return PROCMUSTER_BPF; }

std::string LastLines(const std::string& log) {
  constexpr size_t kLines = 3;
  std::string_view text = std::string_view(log).substr(0, log.find('\0'));
  std::string lines;
  for (size_t taken = 0; taken < kLines && !text.empty();) {
    size_t newline = text.find_last_of('\n');
    std::string_view line = newline == text.npos ? text : text.substr(newline + 1);
    text = newline == text.npos ? std::string_view() : text.substr(0, newline);
    // The verifier's closing statistics say nothing of the reason.
    if (line.empty() || line.starts_with("processed ") || line.starts_with("verification time ") ||
        line.starts_with("stack depth "))
      continue;
    lines = std::string(line) + (lines.empty() ? "" : "; ") + lines;
    ++taken;
  }
  for (char& letter : lines) {
    if (letter < ' ' || letter > '~') letter = ' ';
  }
  return lines;
}

int RunProgram(int prog_fd) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.test.prog_fd = static_cast<uint32_t>(prog_fd);
  if (syscall(SYS_bpf, BPF_PROG_RUN, &attr, sizeof attr.test) != 0) return errno;
  return attr.test.retval == 0 ? 0 : EIO;
}

MappedMap::~MappedMap() {
  if (memory_) munmap(memory_, size_);
}

int MappedMap::Map(int map_fd, size_t size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (memory == MAP_FAILED) return errno;
  if (memory_) munmap(memory_, size_);
  memory_ = memory;
  size_ = size;
  return 0;
}

}  // namespace procmuster
