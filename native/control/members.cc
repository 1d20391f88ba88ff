#include "control/members.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "common/clock.h"
#include "control/standstill.h"
#include "source/procfs/pid_list.h"

namespace procmuster {
namespace {

constexpr long kPauseNs = 500'000;

void Pause() {
  struct timespec time = {0, kPauseNs};
  nanosleep(&time, nullptr);
}

bool StopsByTerminal(int signal) { return signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU; }

class Gathering {
 public:
  Gathering(const MembersRequest& request, MembersResult* result) : request_(request), result_(result) {}

  // Finds, and with `freeze` stops, everyone, until another look finds nobody new.
  void Gather() {
    double give_up = ClockNs(CLOCK_MONOTONIC) + request_.patience_ns;
    AddRoots();
    // A look reads one process after the other: a child can be born behind it before its parent stands still.
    // Hence one look that finds everyone standing, and another one after it.
    for (int calm = 0; calm < (request_.freeze ? 2 : 1);) {
      size_t before = result_->members.size();
      if ((result_->error = Look())) return;
      AddRelated();
      bool grew = result_->members.size() > before;
      if (!grew && (!request_.freeze || AllStandStill())) {
        calm++;
        continue;
      }
      calm = 0;
      if (ClockNs(CLOCK_MONOTONIC) > give_up) return;
      if (!grew) Pause();
    }
    result_->stable = true;
  }

  // Who was found within the tick of its own birth is settled by now, or in a moment.
  void Settle() {
    for (Member& member : result_->members) {
      while (NowTicks() <= member.target.start_ticks) Pause();
      member.target.settled = true;
    }
  }

  void Signal() {
    Order();
    bool stops = StopsByTerminal(request_.action.signal);
    // A continue signal takes back those of the terminal that wait, so that it comes before them.
    if (stops) Continue();
    ForEachOutcome([this](Member& member) { return Act(member.target, request_.action); });
    if (!result_->stable || !request_.freeze) FindMissed();
    if (!stops && request_.action.signal != SIGSTOP) Continue();
    if (request_.action.signal == SIGKILL) AwaitEnd();
  }

 private:
  void AddRoots() {
    for (const Target& root : request_.roots) {
      UniqueFd pidfd;
      StatFacts facts;
      Outcome outcome = OpenVerified(root, &pidfd, &facts);
      if (outcome.ok() && ReadStatFacts("/proc", root.pid, &facts) != 0) outcome = {ESRCH, Step::kStat};
      // Were it reaped by now, then these would be the parent, group and session of a successor.
      if (outcome.ok() && facts.start_ticks != root.start_ticks) outcome = {ESRCH, Step::kMismatch};
      if (outcome.ok() && request_.relation == Relation::kTree) {
        if (!known_.count(root.pid)) Add(root, facts, 0, pidfd.get());
      } else if (outcome.ok()) {
        pid_t id = IdOf(facts);
        // Kernel threads are in group and session 0.
        if (id > 0) {
          wanted_.insert(id);
        } else {
          outcome = {EPERM, Step::kProtected};
        }
      }
      result_->roots.push_back(outcome);
    }
  }

  pid_t IdOf(const StatFacts& facts) const {
    return request_.relation == Relation::kGroup ? facts.pgid : facts.sid;
  }

  int Look() {
    UniqueFd proc(open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!proc.valid()) return errno;
    std::vector<int32_t> pids;
    if (int error = ListPids(proc.get(), &pids)) return error;
    seen_.clear();
    for (pid_t pid : pids) {
      StatFacts facts;
      if (ReadStatFacts("/proc", pid, &facts) == 0) seen_.emplace(pid, facts);
    }
    return 0;
  }

  void AddRelated() {
    if (request_.relation != Relation::kTree) {
      for (const auto& [pid, facts] : seen_) {
        if (wanted_.count(IdOf(facts))) Confirm(pid);
      }
      return;
    }
    std::unordered_multimap<pid_t, pid_t> children;
    for (const auto& [pid, facts] : seen_) children.emplace(facts.ppid, pid);
    // Grows while it is walked: children of children come behind.
    for (size_t i = 0; i < result_->members.size(); i++) {
      auto [child, end] = children.equal_range(result_->members[i].target.pid);
      for (; child != end; ++child) Confirm(child->second);
    }
  }

  // Whether the process that has this pid now is related, by what is read while a pidfd vouches for it.
  void Confirm(pid_t pid) {
    auto at = known_.find(pid);
    if (at != known_.end()) {
      const Member& member = result_->members[at->second];
      auto seen = seen_.find(pid);
      if (seen == seen_.end() || seen->second.start_ticks == member.target.start_ticks) return;
    }
    UniqueFd pidfd;
    if (OpenPidfd(pid, &pidfd) != 0) return;
    uint64_t now_ticks = NowTicks();
    StatFacts facts;
    if (ReadStatFacts("/proc", pid, &facts) != 0) return;
    int32_t depth = 0;
    if (request_.relation == Relation::kTree) {
      auto parent = known_.find(facts.ppid);
      if (parent == known_.end() || !IsStill(result_->members[parent->second].target)) return;
      depth = result_->members[parent->second].depth + 1;
    } else if (!wanted_.count(IdOf(facts))) {
      return;
    }
    if (Ended(facts) || PidfdSignal(pidfd.get(), 0) == ESRCH) return;
    Target target = {pid, facts.start_ticks, PidfdInode(pidfd.get()), now_ticks > facts.start_ticks,
                     !facts.kernel_thread()};
    Add(target, facts, depth, pidfd.get());
  }

  static bool IsStill(const Target& target) {
    StatFacts facts;
    return ReadStatFacts("/proc", target.pid, &facts) == 0 && facts.start_ticks == target.start_ticks;
  }

  void Add(const Target& target, const StatFacts& facts, int32_t depth, int pidfd) {
    Member member;
    member.target = target;
    member.ppid = facts.ppid;
    member.depth = depth;
    member.stopped_before = facts.state == 'T';
    member.is_protected = IsProtected(target.pid, facts);
    if (request_.freeze && !member.is_protected && !member.stopped_before) {
      member.frozen = PidfdSignal(pidfd, SIGSTOP) == 0;
    }
    known_[target.pid] = result_->members.size();
    result_->members.push_back(member);
  }

  bool AllStandStill() const {
    // Who waits for a child made by vfork stops only after that has executed a program or ended, which it
    // cannot now.
    std::unordered_set<pid_t> held;
    for (const Member& member : result_->members) {
      const StatFacts* facts = Seen(member);
      if (facts != nullptr && member.frozen && facts->state == 'T' && !facts->executed()) {
        held.insert(facts->ppid);
      }
    }
    return std::all_of(result_->members.begin(), result_->members.end(), [&](const Member& member) {
      const StatFacts* facts = Seen(member);
      return !member.frozen || facts == nullptr || StandsStill(member.target.pid, *facts) ||
             (facts->state == 'D' && held.count(member.target.pid));
    });
  }

  // What the last look saw of it; null when it was not there any more.
  const StatFacts* Seen(const Member& member) const {
    auto seen = seen_.find(member.target.pid);
    bool is_there = seen != seen_.end() && seen->second.start_ticks == member.target.start_ticks;
    return is_there ? &seen->second : nullptr;
  }

  void Order() {
    auto& members = result_->members;
    if (request_.relation != Relation::kTree) SetDepths();
    std::stable_sort(members.begin(), members.end(), [this](const Member& a, const Member& b) {
      // Ourselves last: whatever ends us must not leave the others frozen.
      bool a_self = a.target.pid == getpid(), b_self = b.target.pid == getpid();
      if (a_self != b_self) return b_self;
      if (a.depth != b.depth) return request_.children_first ? a.depth > b.depth : a.depth < b.depth;
      return request_.children_first ? a.target.pid > b.target.pid : a.target.pid < b.target.pid;
    });
    known_.clear();
    for (size_t i = 0; i < members.size(); i++) known_[members[i].target.pid] = i;
  }

  // How many parents above each are of the same group or session.
  void SetDepths() {
    for (Member& member : result_->members) {
      auto parent = known_.find(member.ppid);
      for (member.depth = 0; parent != known_.end(); member.depth++) {
        parent = known_.find(result_->members[parent->second].ppid);
      }
    }
  }

  template <typename Each>
  void ForEachOutcome(Each each) {
    for (Member& member : result_->members) member.outcome = each(member);
  }

  void Continue() {
    Action action;
    action.signal = SIGCONT;
    action.force = true;
    for (const Member& member : result_->members) {
      if (member.frozen || (request_.continue_all && member.outcome.ok())) Act(member.target, action);
    }
  }

  void FindMissed() {
    size_t before = result_->members.size();
    if (Look() != 0) return;
    // To be told of only: what is not frozen makes new ones for ever.
    MembersRequest only_look = request_;
    only_look.freeze = false;
    Gathering late(only_look, result_);
    late.known_ = known_;
    late.wanted_ = wanted_;
    late.seen_ = std::move(seen_);
    late.AddRelated();
    for (size_t i = before; i < result_->members.size(); i++) result_->members[i].missed = true;
    Settle();
  }

  void AwaitEnd() {
    double give_up = ClockNs(CLOCK_MONOTONIC) + request_.patience_ns;
    std::vector<Member*> left;
    for (Member& member : result_->members) {
      if (!member.missed && member.outcome.ok()) left.push_back(&member);
    }
    for (;;) {
      std::erase_if(left, [](Member* member) {
        StatFacts facts;
        return ReadStatFacts("/proc", member->target.pid, &facts) != 0 ||
               facts.start_ticks != member->target.start_ticks || Ended(facts);
      });
      if (left.empty() || ClockNs(CLOCK_MONOTONIC) > give_up) break;
      Pause();
    }
    for (Member* member : left) member->survived = true;
  }

  const MembersRequest& request_;
  MembersResult* result_;
  std::unordered_map<pid_t, StatFacts> seen_;
  std::unordered_map<pid_t, size_t> known_;  // where in the members
  std::unordered_set<pid_t> wanted_;         // groups or sessions
};

}  // namespace

void SignalMembers(const MembersRequest& request, MembersResult* result) {
  Gathering gathering(request, result);
  gathering.Gather();
  gathering.Settle();
  // Also when the look failed half-way: who was frozen is let go again.
  if (request.act) gathering.Signal();
}

}  // namespace procmuster
