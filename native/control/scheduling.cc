#include "control/scheduling.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/process_file.h"
#include "control/thread_settings.h"

namespace procmuster {
namespace {

int ReadNumber(pid_t pid, const char* file, double* number) {
  char text[64];
  if (int error = ReadProcessText(pid, file, text, sizeof(text))) return error;
  char* end;
  *number = strtod(text, &end);
  return end == text ? EBADMSG : 0;
}

// "/autogroup-25 nice 0"
int ReadAutogroup(pid_t pid, double* id, double* nice) {
  char text[64];
  if (int error = ReadProcessText(pid, "autogroup", text, sizeof(text))) return error;
  // Empty for a process that is in none.
  if (text[0] == '\0') {
    *id = *nice = NAN;
    return 0;
  }
  return sscanf(text, "/autogroup-%lf nice %lf", id, nice) == 2 ? 0 : EBADMSG;
}

}  // namespace

void ReadScheduling(const Target& target, pid_t tid, SchedulingValues* values, SchedulingErrors* errors,
                    uint32_t* processors) {
  UniqueFd pidfd;
  StatFacts facts;
  Outcome outcome = OpenVerified(target, &pidfd, &facts);
  if (outcome.ok()) {
    SchedulerAttributes attributes;
    errors->scheduler = GetScheduler(tid, &attributes);
    values->policy = attributes.policy;
    values->priority = attributes.priority;
    values->reset_on_fork = (attributes.flags & kResetOnFork) != 0;
    values->runtime_ns = static_cast<double>(attributes.runtime_ns);
    values->deadline_ns = static_cast<double>(attributes.deadline_ns);
    values->period_ns = static_cast<double>(attributes.period_ns);
    int nice = 0, io_priority = 0;
    errors->nice = GetNice(tid, &nice);
    errors->io_priority = GetIoPriority(tid, &io_priority);
    values->nice = nice;
    values->io_priority = io_priority;
    errors->affinity = GetAffinity(tid, processors, kProcessorWords);
    errors->oom_score_adj = ReadNumber(tid, "oom_score_adj", &values->oom_score_adj);
    errors->timer_slack = ReadNumber(tid, "timerslack_ns", &values->timer_slack_ns);
    errors->autogroup = ReadAutogroup(tid, &values->autogroup, &values->autogroup_nice);
    // What was read by number was read of this process only if it is there still.
    if (PidfdExited(pidfd.get())) outcome = {ESRCH, Step::kGoneDuring};
  }
  errors->error = outcome.error;
  errors->step = static_cast<int32_t>(outcome.step);
}

}  // namespace procmuster
