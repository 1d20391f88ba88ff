// Kernel programs from C++: load with the reason of a refusal, run, map what they write.
#pragma once

#include <cstddef>
#include <string>

#include "bpf/program_log.h"

namespace procmuster {

// Whether the addon was built with the kernel programs: with clang and bpftool, or from the generated headers
// of the npm package.
bool BpfBuilt();

// Runs a SEC("syscall") program once. An errno; EIO when the program itself returned other than 0.
int RunProgram(int prog_fd);

// One mapped array map's memory, unmapped at the end.
class MappedMap {
 public:
  MappedMap() = default;
  MappedMap(const MappedMap&) = delete;
  MappedMap& operator=(const MappedMap&) = delete;
  ~MappedMap();

  int Map(int map_fd, size_t size);  // an errno
  void* get() const { return memory_; }

 private:
  void* memory_ = nullptr;
  size_t size_ = 0;
};

// The end of a verifier's log, where it says why: a few lines, printable.
std::string LastLines(const std::string& log);

// `load` is a program's C function: it fills its struct of descriptors and returns 0 or a negative errno.
// An errno, 0 for success. `refusal`: the last lines that the kernel's verifier or the loader wrote.
template <typename Descriptors>
int LoadProgram(int (*load)(Descriptors*, const bpf_program_log*), Descriptors* descriptors,
                std::string* refusal) {
  // The log costs the verifier time, and a load fails for a log that does not fit: only a refusal is repeated
  // with it.
  const bpf_program_log none = {nullptr, 0};
  int error = load(descriptors, &none);
  if (error == 0) return 0;
  std::string text(size_t{1} << 18, '\0');
  const bpf_program_log log = {text.data(), static_cast<unsigned int>(text.size())};
  error = load(descriptors, &log);
  if (error == 0) return 0;
  *refusal = LastLines(text);
  return -error;
}

}  // namespace procmuster
