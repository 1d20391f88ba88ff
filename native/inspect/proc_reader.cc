#include "inspect/proc_reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "common/unique_fd.h"
#include "control/identity.h"
#include "inspect/descriptors.h"
#include "inspect/memory_map_reader.h"
#include "inspect/process_dir.h"
#include "inspect/threads.h"
#include "inspect/unix_peers.h"

namespace procmuster {
namespace {

constexpr size_t kChunk = 64 * 1024;

// Files of a process that has ended say ENOENT or ESRCH; a file that this kernel does not have says ENOENT as
// well.
int VanishedOr(int error, int process_dir) {
  if (error != ENOENT) return error;
  StatFacts facts;
  int stat_error = ReadStatFactsAt(process_dir, &facts);
  return stat_error == ENOENT || stat_error == ESRCH ? ESRCH : ENOENT;
}

int ReadRegular(int process_dir, const char* name, size_t max_bytes, FileContent* content) {
  UniqueFd fd(openat(process_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return errno;
  std::string& data = content->data;
  for (;;) {
    size_t had = data.size();
    // One byte more than allowed tells a file that just fits from one that was cut.
    size_t want = std::min(kChunk, max_bytes + 1 - had);
    data.resize(had + want);
    ssize_t got = read(fd.get(), data.data() + had, want);
    if (got < 0 && errno == EINTR) {
      data.resize(had);
      continue;
    }
    if (got < 0) {
      int error = errno;
      data.resize(had);
      return error;
    }
    data.resize(had + static_cast<size_t>(got));
    if (got == 0) return 0;
    if (data.size() > max_bytes) {
      data.resize(max_bytes);
      content->truncated = true;
      return 0;
    }
  }
}

// fdinfo's "flags:" in octal, as the kernel writes it; "?" when it cannot be read.
std::string DescriptorFlags(int process_dir, const char* number) {
  char path[sizeof("fdinfo/") + NAME_MAX];
  snprintf(path, sizeof(path), "fdinfo/%s", number);
  UniqueFd fd(openat(process_dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  char buffer[512];
  ssize_t size = fd.valid() ? read(fd.get(), buffer, sizeof(buffer) - 1) : -1;
  if (size <= 0) return "?";
  buffer[size] = 0;
  const char* at = strstr(buffer, "flags:");
  if (at == nullptr) return "?";
  at += strlen("flags:");
  at += strspn(at, " \t");
  return std::string(at, strcspn(at, "\n"));
}

int ListDirectory(int process_dir, const char* name, size_t max_bytes, FileContent* content) {
  UniqueFd fd(openat(process_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return errno;
  DIR* directory = fdopendir(fd.get());
  if (directory == nullptr) return errno;
  fd.release();
  bool descriptors = strcmp(name, "fd") == 0;
  bool links = descriptors || strcmp(name, "ns") == 0;
  int error = 0;
  for (;;) {
    errno = 0;
    dirent* entry = readdir(directory);
    if (entry == nullptr) {
      error = errno;
      break;
    }
    if (entry->d_name[0] == '.') continue;
    std::string line = entry->d_name;
    if (links) {
      std::string target;
      // Closed since it was listed, or not ours to see: the number alone is worth a line.
      if (ReadLink(dirfd(directory), entry->d_name, &target) != 0) target.assign(1, '?');
      line.push_back(' ');
      if (descriptors) line.append(DescriptorFlags(process_dir, entry->d_name)).push_back(' ');
      AppendEscaped(target, &line);
    }
    line.push_back('\n');
    if (content->data.size() + line.size() > max_bytes) {
      content->truncated = true;
      break;
    }
    content->data += line;
  }
  closedir(directory);
  return error;
}

bool IsLink(std::string_view name) {
  std::string_view last = name.substr(name.rfind('/') + 1);
  return last == "exe" || last == "cwd" || last == "root";
}

int ReadOne(int process_dir, const std::string& name, size_t max_bytes, FileContent* content) {
  if (name == "map:smaps") return ReadMemoryMap(process_dir, "smaps", &content->data);
  if (name == "map:maps") return ReadMemoryMap(process_dir, "maps", &content->data);
  if (name == "fd:details") return ReadDescriptors(process_dir, &content->data);
  if (name == "task:details") return ReadThreads(process_dir, false, &content->data);
  if (name == "task:stacks") return ReadThreads(process_dir, true, &content->data);
  if (name == "net:unix_peers") return ReadUnixPeers(process_dir, &content->data);
  if (IsLink(name)) {
    int error = ReadLink(process_dir, name.c_str(), &content->data);
    content->truncated = content->data.size() > max_bytes;
    if (content->truncated) content->data.resize(max_bytes);
    return error;
  }
  if (name == "fd" || name == "ns" || name == "task") {
    return ListDirectory(process_dir, name.c_str(), max_bytes, content);
  }
  return ReadRegular(process_dir, name.c_str(), max_bytes, content);
}

}  // namespace

void ReadProcessFiles(const ReadRequest& request, const Publish& publish) {
  UniqueFd directory;
  int error = OpenProcessDir(request.proc_root, request.pid, &directory);
  if (error == 0 && request.start_ticks >= 0) {
    StatFacts facts;
    error = ReadStatFactsAt(directory.get(), &facts);
    if (error == 0 && facts.start_ticks != static_cast<uint64_t>(request.start_ticks)) error = ESRCH;
  }
  for (size_t i = 0; i < request.files.size(); i++) {
    FileContent content;
    content.error = error;
    if (error == 0) {
      content.error = ReadOne(directory.get(), request.files[i], request.max_bytes, &content);
      if (content.error != 0) content.error = VanishedOr(content.error, directory.get());
    }
    content.done = true;
    if (!publish(i, std::move(content))) return;
  }
}

}  // namespace procmuster
