#include "source/bpf/proc_lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

namespace procmuster {

int ProcLookup::Open() {
  proc_.reset(open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!proc_.valid()) return errno;
  counts_io_ = faccessat(proc_.get(), "self/io", F_OK, 0) == 0;
  counts_waits_ = faccessat(proc_.get(), "self/schedstat", F_OK, 0) == 0;
  return 0;
}

std::string_view ProcLookup::Name(int32_t pid) {
  char path[32];
  snprintf(path, sizeof path, "%d/comm", pid);
  std::string_view text = Read(proc_.get(), path);
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return text;
}

bool ProcLookup::Statm(int32_t pid, uint64_t start_ticks, StatmFields* out) {
  char path[16];
  snprintf(path, sizeof path, "%d", pid);
  // An open directory stays that process's, whoever gets its pid.
  UniqueFd directory(openat(proc_.get(), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return false;
  StatFields stat;
  if (!ParseStat(Read(directory.get(), "stat"), &stat) || stat.start_ticks != start_ticks) return false;
  return ParseStatm(Read(directory.get(), "statm"), out);
}

std::string_view ProcLookup::Read(int directory, const char* path) {
  UniqueFd fd(openat(directory, path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return {};
  const ssize_t got = read(fd.get(), text_, sizeof text_);
  return {text_, got > 0 ? static_cast<size_t>(got) : 0};
}

}  // namespace procmuster
