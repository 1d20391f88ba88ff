#include "inspect/process_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "control/identity.h"
#include "inspect/process_dir.h"
#include "inspect/smaps.h"

namespace procmuster {
namespace {

constexpr std::string_view kDeleted = " (deleted)";

std::string FileKey(uint32_t major, uint32_t minor, uint64_t inode) {
  return std::to_string(major) + ":" + std::to_string(minor) + ":" + std::to_string(inode);
}

// One process, and what was found in it so far.
class Match {
 public:
  Match(const ScanRequest& request, const ScanKeys& keys) : request_(request), keys_(keys) {}

  int Run(int directory) {
    directory_ = directory;
    switch (request_.kind) {
      case ScanKind::kDescriptors:
        return Links("fd", [this](const std::string& target) { return keys_.contains(target); });
      case ScanKind::kNamespaces:
        return Namespaces();
      case ScanKind::kFile:
        return File();
      case ScanKind::kLibrary:
        return Maps([this](const MapsLine& line) {
          if (line.inode != 0 && IsLibrary(line.name)) Add(line.name);
        });
      case ScanKind::kSockets:
        if (int error = Namespaces()) return error;
        return Links("fd", [](const std::string& target) { return target.starts_with("socket:["); });
    }
    return EINVAL;
  }
  std::string& lines() { return lines_; }

 private:
  void Add(std::string_view line) {
    std::string escaped;
    AppendEscaped(line, &escaped);
    escaped.push_back('\n');
    if (seen_.insert(escaped).second) lines_ += escaped;
  }

  template <typename Wanted>
  int Links(const char* name, Wanted wanted) {
    std::string target;
    int denied = 0;
    int error = ForEachEntry(directory_, name, [&](int directory, const char* entry) {
      int unread = ReadLink(directory, entry, &target);
      if (unread == 0 && wanted(target)) Add(std::string(entry).append(" ").append(target));
      if (unread == EACCES || unread == EPERM) denied = unread;
    });
    return error != 0 ? error : denied;
  }

  int Namespaces() {
    if (!request_.keys[0].ends_with(':')) {
      return Links("ns", [this](const std::string& target) { return keys_.contains(target); });
    }
    // Of one kind, whichever it is but for those named after it.
    std::string kind = request_.keys[0].substr(0, request_.keys[0].size() - 1);
    std::string target;
    if (int error = ReadLink(directory_, ("ns/" + kind).c_str(), &target)) return error;
    if (!keys_.contains(target)) Add(std::string(kind).append(" ").append(target));
    return 0;
  }

  bool IsLibrary(std::string_view path) {
    return std::ranges::any_of(request_.keys, [&](const auto& key) { return NamesLibrary(key, path); });
  }

  bool IsFile(int directory, const char* name) {
    struct statx facts;
    if (statx(directory, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO, &facts) != 0) return false;
    return keys_.contains(FileKey(facts.stx_dev_major, facts.stx_dev_minor, facts.stx_ino));
  }

  int File() {
    int error = ForEachEntry(directory_, "fd", [&](int directory, const char* entry) {
      if (IsFile(directory, entry)) Add(std::string("fd ") + entry);
    });
    for (const char* link : {"exe", "cwd", "root"}) {
      if (IsFile(directory_, link)) Add(link);
    }
    // Some file systems show another device in maps than statx has. A path alone may be another container's.
    int maps_error = Maps([this](const MapsLine& line) {
      if (line.inode == 0) return;
      bool named = line.name == request_.keys[0] &&
                   request_.keys[1].ends_with(std::string(":").append(std::to_string(line.inode)));
      if (named || keys_.contains(FileKey(line.device_major, line.device_minor, line.inode))) Add("map");
    });
    return error != 0 ? error : maps_error;
  }

  template <typename Take>
  int Maps(Take take) {
    std::string rest;
    bool empty = true;
    auto line = [&](std::string_view text) {
      MapsLine parsed;
      if (ParseMapsLine(text, &parsed)) take(parsed);
    };
    int error = ReadPieces(directory_, "maps", [&](std::string_view piece) {
      empty = false;
      for (size_t newline; (newline = piece.find('\n')) != std::string_view::npos;) {
        rest.append(piece.substr(0, newline));
        line(rest);
        rest.clear();
        piece.remove_prefix(newline + 1);
      }
      rest.append(piece);
    });
    return error == 0 && empty ? ESRCH : error;
  }

  const ScanRequest& request_;
  const ScanKeys& keys_;
  int directory_ = -1;
  std::string lines_;
  std::unordered_set<std::string> seen_;
};

int ScanOne(const ScanRequest& request, const ScanKeys& keys, int pid, std::string* found) {
  UniqueFd process;
  if (int error = OpenProcessDir(request.proc_root, pid, &process)) return error;
  Match match(request, keys);
  int error = match.Run(process.get());
  if (error == ENOENT || error == ESRCH) {
    // Its first thread has nothing any more; others may.
    UniqueFd living;
    if (int gone = OpenLivingDir(process.get(), &living)) return gone == ENOENT ? ESRCH : gone;
    error = match.Run(living.get());
    if (error == ENOENT) error = 0;
  }
  if (match.lines().empty()) return error;
  StatFacts facts;
  if (int gone = ReadStatFactsAt(process.get(), &facts)) return gone;
  *found = std::to_string(facts.start_ticks) + "\n" + match.lines();
  return error;
}

}  // namespace

std::vector<std::string> SplitKeys(std::string_view text) {
  std::vector<std::string> keys;
  for (size_t end; (end = text.find('\0')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    keys.emplace_back(text.substr(0, end));
  }
  return keys;
}

bool NamesLibrary(std::string_view key, std::string_view path) {
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  if (key.empty() || path == key) return path == key;
  std::string_view file = path.substr(path.rfind('/') + 1);
  if (!file.starts_with(key)) return false;
  file.remove_prefix(key.size());
  return file.empty() || file[0] == '.' || file[0] == '-';
}

void ScanProcesses(const ScanRequest& request, const Publish& publish) {
  const ScanKeys keys(request.keys.begin(), request.keys.end());
  for (size_t i = 0; i < request.pids.size(); i++) {
    FileContent content;
    content.error = ScanOne(request, keys, request.pids[i], &content.data);
    content.done = true;
    if (!publish(i, std::move(content))) return;
  }
}

}  // namespace procmuster
