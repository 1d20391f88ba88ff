#include "source/bpf/task_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "source/bpf/task_walk_program.h"

namespace procmuster {
namespace {

// How many CPUs there can be, for kWalkExact; 0 when they are too many or not numbered from 0 on without a
// gap.
uint32_t PossibleCpus() {
  UniqueFd file(open("/sys/devices/system/cpu/possible", O_RDONLY | O_CLOEXEC));
  char text[64] = {};
  if (!file.valid() || read(file.get(), text, sizeof text - 1) <= 0) return 0;
  unsigned last = 0;
  char rest = 0;
  if (strcmp(text, "0\n") != 0 && (sscanf(text, "0-%u%c", &last, &rest) != 2 || rest != '\n')) return 0;
  return last < PROCMUSTER_EXACT_CPUS ? last + 1 : 0;
}

}  // namespace

int TaskWalk::Open(std::string* refusal) {
  task_walk_descriptors descriptors = {-1, -1, -1};
  int error = LoadProgram(task_walk_load, &descriptors, refusal);
  if (error) return error;
  slices_.reset(descriptors.slices_fd);
  program_.reset(descriptors.walk_fd);
  UniqueFd learn_cpu(descriptors.learn_cpu_fd);
  error = memory_.Map(slices_.get(), sizeof(process_slice));
  if (error) return error;
  slice_ = static_cast<process_slice*>(memory_.get());
  uint32_t cpus = PossibleCpus();
  for (slice_->cpus = 0; slice_->cpus < cpus; ++slice_->cpus) {
    if (RunProgram(learn_cpu.get()) != 0) break;
  }
  if (slice_->cpus < cpus) slice_->cpus = 0;
  return 0;
}

int TaskWalk::Begin(uint32_t groups) {
  if (!slice_) return EBADF;
  if ((groups & kWalkExact) && slice_->cpus == 0) return EOPNOTSUPP;
  slice_->groups = groups;
  slice_->count = 0;
  skipped_ = 0;
  places_.clear();
  more_ = true;
  return 0;
}

int TaskWalk::Next() {
  if (!more_) return 0;
  RememberPlaces();
  slice_->budget_ns = budget_ns_;
  size_t next = places_.size();
  int error = RunAfter(next > 0 ? places_[next - 1] : Place{0, 0});
  while (!error && slice_->lost && next > 0) {
    --next;
    error = RunAfter(next > 0 ? places_[next - 1] : Place{0, 0});
  }
  if (error) return error;
  if (next < places_.size()) SkipRepeated(next);
  more_ = slice_->more != 0;
  return 0;
}

void TaskWalk::RememberPlaces() {
  for (uint32_t i = 0; i < slice_->count; ++i)  // also those that were skipped: they are later in the list
    places_.push_back({slice_->rows[i].pid, slice_->rows[i].start_ns});
  slice_->count = skipped_ = 0;
}

int TaskWalk::RunAfter(const Place& place) {
  slice_->after_pid = place.pid;
  slice_->after_start_ns = place.start_ns;
  return RunProgram(program_.get());
}

// Those behind the place have lost their pid, yet one may still be in the list for the moment of its removal.
void TaskWalk::SkipRepeated(size_t first) {
  for (; skipped_ < slice_->count; ++skipped_) {
    const process_row& row = slice_->rows[skipped_];
    while (first < places_.size() &&
           (places_[first].pid != row.pid || places_[first].start_ns != row.start_ns))
      ++first;
    if (first == places_.size()) return;
  }
}

}  // namespace procmuster
