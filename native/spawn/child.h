// What the child does from its clone to its exec. It shares the memory of its running parent (vfork
// semantics), so it makes system calls and nothing else: no allocation, no lock, no glibc wrapper that keeps
// books.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "control/action.h"
#include "spawn/file_identity.h"

namespace procmuster {

// Whether it leads something of its own. src/spawn/start.ts has the same order.
enum class SpawnPlace : int32_t {
  kParents = 0,  // in the parent's session and process group
  kGroup = 1,
  kSession = 2,
};

struct SpawnPlan {
  std::string path;
  // Another path of the same file, under which it has its old name; empty when there is none.
  std::string named_path;
  FileIdentity executable;
  std::string directory;
  FileIdentity directory_identity;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  int stdio[3] = {-1, -1, -1};  // -1: /dev/null
  SpawnPlace place = SpawnPlace::kSession;

  bool change_user = false;  // false: it is ours already, and we may not be able to set it
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  mode_t umask = 0;
  int nice = 0;
  int io_priority = -1;             // -1: leave
  std::vector<uint8_t> processors;  // sched_setaffinity(2)'s mask; empty: leave
  bool set_limits = false;
  struct rlimit limits[kResourceCount] = {};

  // What the program may have at most; none of them gives it more than we have ourselves.
  uint64_t bounding = 0;
  uint64_t inheritable = 0;
  uint64_t ambient = 0;
  bool no_new_privileges = false;
  bool allow_setuid = false;  // whether the executable may be setuid or setgid
};

// Bits of the warnings; src/actions/restart.ts words them. The lower 16 are the resources by number.
enum SpawnWarning : uint32_t {
  kWarnNice = 1u << 16,
  kWarnIoPriority = 1u << 17,
  kWarnProcessors = 1u << 18,
};

// Where it failed; src/spawn/start.ts words them in the same order.
enum class SpawnStep : int32_t {
  kDone = 0,
  kResources = 1,  // pipes, memory, thread
  kClone = 2,
  kPlace = 3,  // session or process group
  kStdio = 4,
  kDirectory = 5,
  kBounding = 6,  // dropping capabilities from the bounding set
  kGroups = 7,
  kUser = 8,
  kCapabilities = 9,
  kExecutable = 10,  // it is another file by now, or setuid
  kExec = 11,
  kTimeout = 12,
  kGate = 13,  // called off, or killed before it executed anything
};

// What the child writes into its status pipe: once when it stands at the gate, once more if it fails after
// it.
struct ChildMessage {
  int32_t error;
  SpawnStep step;
  pid_t pid;
  uint32_t warnings;
};

// Everything that the child needs, made before it starts.
struct ChildContext {
  const SpawnPlan* plan;
  char* const* arguments;
  char* const* environment;
  int gate;
  int status;
  int null;
};

// For clone(2), with a ChildContext; it does not return.
int ChildMain(void* context);

}  // namespace procmuster
