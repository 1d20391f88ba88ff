// Who is in the table, from a process's first sample to its last: what both sources keep of it, and the
// births, execs and deaths that follow.
#pragma once

#include <string.h>

#include <cstdint>
#include <vector>

#include "table/writer.h"

namespace procmuster {

struct Tenant {
  int32_t pid;
  uint32_t slot;
  uint32_t generation;
  uint64_t born_sequence;
  uint64_t exec_sequence;  // the sample that noticed its last exec
  uint64_t seen_round;
};

// `Process` is a Tenant with what the source knows of it besides. For one thread; several have a roster each,
// and share the slots.
template <typename Process>
class Roster {
 public:
  size_t size() const { return processes_.size(); }
  auto begin() const { return processes_.begin(); }
  auto end() const { return processes_.end(); }

  // Who has this slot, which must be one of this roster's.
  Process* At(uint32_t slot) { return &processes_[index_of_slot_[slot]]; }

  // Pointers into the roster are good until the next Add or RetireUnseen.
  Process* Add(const Process& process) {
    if (process.slot >= index_of_slot_.size()) index_of_slot_.resize(size_t{process.slot} + 1, kNoSlot);
    index_of_slot_[process.slot] = static_cast<uint32_t>(processes_.size());
    processes_.push_back(process);
    return &processes_.back();
  }

  // Gives it a slot, null when the table is full. `process` has its pid.
  Process* Admit(Process process, const Pass& pass, Slots* slots) {
    process.slot = slots->Take(process.pid, &process.generation);
    if (process.slot == kNoSlot) return nullptr;
    process.born_sequence = pass.sequence;
    return Add(process);
  }

  // Begins its row: no cell is missing yet. True for the first row of its life.
  static bool BeginRow(Process* process, const Pass& pass, Changes* changes) {
    process->seen_round = pass.round;
    const uint32_t slot = process->slot;
    memset(pass.current.MissingOf(slot), 0, kMissingWords * sizeof(uint32_t));
    pass.current.pid[slot] = process->pid;
    pass.current.generation[slot] = process->generation;
    if (process->born_sequence != pass.sequence) return false;
    changes->born.push_back(slot);
    return true;
  }

  // Whether it ran another program since the sample before; an attempt that was given up may have been the
  // one that noticed.
  static bool NoteExec(Process* process, bool noticed, const Pass& pass, Changes* changes) {
    if (!noticed && process->exec_sequence != pass.sequence) return false;
    process->exec_sequence = pass.sequence;
    changes->execed.push_back(process->slot);
    return true;
  }

  // Lets go who was not seen in this pass; `leave` is told of each before it goes.
  template <typename Leave>
  void RetireUnseen(const Pass& pass, Slots* slots, Changes* changes, Leave leave) {
    for (size_t i = 0; i < processes_.size();) {
      Process& process = processes_[i];
      if (process.seen_round == pass.round) {
        i++;
        continue;
      }
      leave(&process);
      slots->Free(process.pid, process.slot);
      // One that came and went between two attempts of this sample was never shown.
      if (process.born_sequence != pass.sequence) {
        CopyRow(pass.previous, pass.current, process.slot);
        changes->gone.push_back(process.slot);
      }
      index_of_slot_[process.slot] = kNoSlot;
      process = processes_.back();
      processes_.pop_back();
      if (i < processes_.size()) index_of_slot_[processes_[i].slot] = static_cast<uint32_t>(i);
    }
  }

 private:
  std::vector<Process> processes_;
  std::vector<uint32_t> index_of_slot_;  // into processes_
};

}  // namespace procmuster
