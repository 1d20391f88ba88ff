#include "inspect/process_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "control/identity.h"

namespace procmuster {
namespace {

constexpr size_t kPiece = 256 * 1024;
constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;

bool IsDead(char state) { return state == 'Z' || state == 'X'; }

}  // namespace

int OpenProcessDir(const std::string& proc_root, int pid, UniqueFd* directory) {
  std::string path = proc_root + "/" + std::to_string(pid);
  directory->reset(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory->valid()) return 0;
  return errno == ENOENT ? ESRCH : errno;
}

int OpenLivingDir(int process_dir, UniqueFd* directory) {
  StatFacts facts;
  if (int error = ReadStatFactsAt(process_dir, &facts)) return error;
  directory->reset(openat(process_dir, ".", kDirectory));
  if (!directory->valid()) return errno;
  if (!IsDead(facts.state)) return 0;
  UniqueFd living;
  ForEachEntry(process_dir, "task", [&](int tasks, const char* tid) {
    if (living.valid()) return;
    UniqueFd task(openat(tasks, tid, kDirectory));
    StatFacts thread;
    if (task.valid() && ReadStatFactsAt(task.get(), &thread) == 0 && !IsDead(thread.state)) {
      living = std::move(task);
    }
  });
  if (living.valid()) *directory = std::move(living);
  return 0;
}

int ReadLink(int directory, const char* name, std::string* target) {
  char buffer[4096];
  ssize_t size = readlinkat(directory, name, buffer, sizeof(buffer));
  if (size < 0) return errno;
  target->assign(buffer, static_cast<size_t>(size));
  return 0;
}

int ReadPieces(int directory, const char* name, const std::function<void(std::string_view)>& take) {
  UniqueFd fd(openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return errno;
  std::vector<char> piece(kPiece);
  for (;;) {
    ssize_t got = read(fd.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return 0;
    take({piece.data(), static_cast<size_t>(got)});
  }
}

int ReadText(int directory, const char* name, size_t max_bytes, std::string* text) {
  UniqueFd fd(openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return errno;
  char piece[4096];
  while (max_bytes > 0) {
    ssize_t got = read(fd.get(), piece, std::min(sizeof(piece), max_bytes));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) break;
    text->append(piece, static_cast<size_t>(got));
    max_bytes -= static_cast<size_t>(got);
  }
  return 0;
}

int ForEachEntry(int directory, const char* name, const std::function<void(int, const char*)>& take) {
  UniqueFd fd(openat(directory, name, kDirectory));
  if (!fd.valid()) return errno;
  DIR* entries = fdopendir(fd.get());
  if (entries == nullptr) return errno;
  fd.release();
  int error = 0;
  for (;;) {
    errno = 0;
    dirent* entry = readdir(entries);
    if (entry == nullptr) {
      error = errno;
      break;
    }
    if (entry->d_name[0] != '.') take(dirfd(entries), entry->d_name);
  }
  closedir(entries);
  return error;
}

void AppendEscaped(std::string_view text, std::string* out) {
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f && byte != '\\') {
      out->push_back(c);
      continue;
    }
    char escaped[8];
    snprintf(escaped, sizeof(escaped), "\\x%02x", byte);
    out->append(escaped);
  }
}

}  // namespace procmuster
