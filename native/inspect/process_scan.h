// Looks through many processes for what some keys name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "inspect/proc_reader.h"

namespace procmuster {

// src/inspect/scan.ts names the same kinds in the same order.
enum class ScanKind : int {
  kDescriptors,  // keys: targets of descriptors, such as socket:[42]
  kNamespaces,   // keys: targets of the links in ns; or one such as net: for the process's own, then those
                 // left out
  kFile,         // keys: a file's path, then its "major:minor:inode"
  kLibrary,      // keys: file name of a library, whole or up to a version's dot or dash, or paths of it
  kSockets,      // keys: as for namespaces, net: and those left out; all sockets besides
};

using ScanKeys = std::unordered_set<std::string>;

struct ScanRequest {
  std::string proc_root;
  std::vector<int32_t> pids;
  ScanKind kind = ScanKind::kDescriptors;
  std::vector<std::string> keys;
};

// Each key ended by a zero byte.
std::vector<std::string> SplitKeys(std::string_view text);
// Whether a library's key names the file at that path, also one that was replaced.
bool NamesLibrary(std::string_view key, std::string_view path);

// Publishes for each pid: nothing, or its start in ticks and a line for each match. These are "fd target",
// "name target", for a file "fd N", "exe", "cwd", "root" or "map", for a library its path, escaped.
void ScanProcesses(const ScanRequest& request, const Publish& publish);

}  // namespace procmuster
