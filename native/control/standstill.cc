#include "control/standstill.h"

#include <fcntl.h>

#include <algorithm>
#include <string>
#include <vector>

#include "source/procfs/pid_list.h"

namespace procmuster {
namespace {

bool Stopped(char state) { return state == 'T' || state == 't'; }

bool ThreadsStandStill(pid_t pid) {
  std::string path = "/proc/" + std::to_string(pid) + "/task";
  UniqueFd task(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::vector<int32_t> tids;
  if (!task.valid() || ListPids(task.get(), &tids) != 0) return false;
  return std::all_of(tids.begin(), tids.end(), [&path](pid_t tid) {
    StatFacts facts;
    bool is_there = ReadStatFacts(path.c_str(), tid, &facts) == 0;
    return !is_there || Stopped(facts.state) || facts.state == 'Z' || facts.state == 'X';
  });
}

}  // namespace

bool Ended(const StatFacts& facts) {
  // A main thread that has ended is shown as Z while others of its process run on.
  return facts.state == 'X' || (facts.state == 'Z' && facts.threads <= 1);
}

bool StandsStill(pid_t pid, const StatFacts& facts) {
  // The main thread tells for all, unless it has ended.
  return Stopped(facts.state) || Ended(facts) || (facts.state == 'Z' && ThreadsStandStill(pid));
}

}  // namespace procmuster
