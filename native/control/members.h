// The processes of a tree, a process group or a session, brought to a halt so that none is born or missed
// between the look and the signal.
#pragma once

#include <cstdint>
#include <vector>

#include "control/action.h"
#include "control/identity.h"

namespace procmuster {

enum class Relation : int32_t { kTree = 0, kGroup = 1, kSession = 2 };

struct MembersRequest {
  Relation relation = Relation::kTree;
  std::vector<Target> roots;  // of a group or session: any member of it
  Action action;              // a signal
  bool act = true;            // false: only list them
  bool freeze = false;
  bool children_first = true;
  bool continue_all = false;  // also those that were stopped before
  double patience_ns = 0;     // for the freeze, and for the end of those that were killed
};

struct Member {
  Target target;
  pid_t ppid = 0;
  int32_t depth = 0;
  bool stopped_before = false;
  bool frozen = false;  // by us
  bool missed = false;  // found only after the signal
  bool survived = false;
  bool is_protected = false;
  Outcome outcome;
};

struct MembersResult {
  std::vector<Member> members;  // in the order in which they were signalled
  std::vector<Outcome> roots;
  int error = 0;        // of listing processes
  bool stable = false;  // nobody new was found any more, and everyone stood still
};

void SignalMembers(const MembersRequest& request, MembersResult* result);

}  // namespace procmuster
