#include "source/bpf/bpf_source.h"

#include <errno.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "table/join.h"

namespace procmuster {
namespace {

constexpr uint32_t kKernelThread = 0x00200000;  // PF_KTHREAD of linux/sched.h

double MemTotalBytes() {
  struct sysinfo info;
  return sysinfo(&info) == 0 ? static_cast<double>(info.totalram) * info.mem_unit : 0;
}

bool IsSame(uint64_t pidfs_inode, uint64_t start_ns, const process_row& row) {
  if (pidfs_inode != 0) return pidfs_inode == row.pidfs_inode;
  return start_ns == row.start_ns;
}

}  // namespace

BpfSource::BpfSource(TableWriter* table, const std::atomic<bool>* cancelled, bool exact_rss)
    : Source(table, cancelled),
      exact_(exact_rss ? Exact::summed : Exact::none),
      exact_near_(ApproximateRssErrorBytes(sysconf(_SC_NPROCESSORS_CONF), sysconf(_SC_PAGESIZE))) {}

int BpfSource::Open(std::string* refusal) {
  if (int error = proc_.Open()) return error;
  return walk_.Open(refusal);
}

int BpfSource::Sample(uint64_t sequence, uint32_t* capacity_needed) {
  *capacity_needed = 0;
  table_->Begin(sequence, MemTotalBytes());
  Slots* slots = table_->slots();
  slots->BeginSample();
  changes_.Clear();
  without_slot_ = 0;
  int error = walk_.Begin(Groups());
  if (error == EOPNOTSUPP && exact_ == Exact::summed) {
    exact_ = Exact::read;
    error = walk_.Begin(Groups());
  }
  if (error) return error;
  while (walk_.more()) {
    if (cancelled()) return ECANCELED;
    if ((error = walk_.Next()) != 0) return error;
    JoinSlice();
  }
  if (without_slot_ > 0) {
    *capacity_needed = slots->capacity() + without_slot_;
    return 0;
  }
  roster_.RetireUnseen(table_->pass(), slots, &changes_, [](Process*) {});
  UpdatePids();
  table_->Publish(pids_, changes_, 0);
  return 0;
}

void BpfSource::SetExactNear(std::vector<double> thresholds) { exact_near_.Set(std::move(thresholds)); }

std::vector<KnownProcess> BpfSource::Known() const {
  std::vector<KnownProcess> known;
  known.reserve(roster_.size());
  for (const Process& process : roster_) {
    known.push_back({process.pid, process.slot, process.generation, process.born_sequence,
                     StartTicks(process.start_ns), process.pidfs_inode, process.flags, process.uid});
  }
  return known;
}

uint32_t BpfSource::Groups() const {
  const TableBuffer& table = table_->pass().current;
  return (table.readBytes ? kWalkIo : 0) | (table.rssAnonBytes ? kWalkStatus : 0) |
         (table.cgroupId ? kWalkKernel : 0) | (exact_ == Exact::summed ? kWalkExact : 0);
}

void BpfSource::JoinSlice() {
  const process_row* row = walk_.rows();
  const process_row* end = row + walk_.count();
  int32_t max_pid = 0;
  for (const process_row* each = row; each < end; each++) max_pid = std::max(max_pid, each->pid);
  table_->slots()->Reserve(max_pid);
  for (; row < end; row++) {
    Process* process = Find(*row);
    if (process == nullptr) process = Admit(*row);
    if (process != nullptr && process->seen_round != table_->pass().round) FillRow(process, *row);
  }
}

BpfSource::Process* BpfSource::Find(const process_row& row) {
  const uint32_t slot = table_->slots()->Find(row.pid);
  if (slot == kNoSlot) return nullptr;
  Process* process = roster_.At(slot);
  return IsSame(process->pidfs_inode, process->start_ns, row) ? process : nullptr;
}

BpfSource::Process* BpfSource::Admit(const process_row& row) {
  Process process = {};
  process.pid = row.pid;
  process.start_ns = row.start_ns;
  process.pidfs_inode = row.pidfs_inode;
  process.exec_id = row.exec_id;
  Process* admitted = roster_.Admit(process, table_->pass(), table_->slots());
  if (admitted == nullptr) {
    without_slot_++;
  } else {
    new_pids_.push_back(row.pid);
  }
  return admitted;
}

void BpfSource::FillRow(Process* process, const process_row& row) {
  const Pass& pass = table_->pass();
  const uint32_t slot = process->slot;
  const bool is_new = roster_.BeginRow(process, pass, &changes_);
  const bool renamed = memcmp(process->comm, row.comm, sizeof row.comm) != 0;
  if (!is_new) roster_.NoteExec(process, renamed || row.exec_id != process->exec_id, pass, &changes_);
  process->exec_id = row.exec_id;
  process->flags = row.flags;
  process->uid = row.uid[1];
  StoreName(process, row, is_new || renamed);
  StoreProcessRow(pass.current, slot, row, &process->shown);
  MarkUncounted(slot);
  if (row.has_mm && IsInDoubt(pass.current.rssBytes[slot])) ReadExactRss(*process);
  DeriveRow(pass.current, pass.previous, slot, !is_new, pass.mem_total_bytes);
}

void BpfSource::StoreName(Process* process, const process_row& row, bool is_changed) {
  const Pass& pass = table_->pass();
  if (is_changed) memcpy(process->comm, row.comm, sizeof row.comm);
  // What stands behind its end in the kernel's array is of an older name.
  const std::string_view comm(row.comm, strnlen(row.comm, sizeof row.comm));
  if ((row.flags & kKernelThread) == 0) {
    pass.current.StoreName(process->slot, comm);
  } else if (!is_changed) {
    memcpy(pass.current.NameOf(process->slot), pass.previous.NameOf(process->slot), kNameBytes);
  } else {
    const std::string_view full = proc_.Name(process->pid);
    pass.current.StoreName(process->slot, full.empty() ? comm : full);
  }
}

void BpfSource::MarkUncounted(uint32_t slot) {
  const TableBuffer& table = table_->pass().current;
  if (table.readBytes && !proc_.kernel_counts_io()) {
    for (Column column : {col_readBytes, col_writeBytes, col_rchar, col_wchar})
      SetMissing(table, slot, column);
  }
  if (table.runQueueWaitNs && !proc_.kernel_counts_waits()) SetMissing(table, slot, col_runQueueWaitNs);
}

bool BpfSource::IsInDoubt(double rss_bytes) const {
  return exact_ == Exact::read || (exact_ == Exact::none && exact_near_.Contains(rss_bytes));
}

void BpfSource::ReadExactRss(const Process& process) {
  const TableBuffer& table = table_->pass().current;
  StatmFields statm;
  if (proc_.Statm(process.pid, StartTicks(process.start_ns), &statm)) {
    const double page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
    table.rssBytes[process.slot] = static_cast<double>(statm.resident) * page_bytes;
    table.sharedBytes[process.slot] = static_cast<double>(statm.shared) * page_bytes;
  } else {
    SetMissing(table, process.slot, col_rssBytes);
  }
}

// The table lists its rows in the order of pids, and the kernel its processes in that of their births.
void BpfSource::UpdatePids() {
  std::sort(new_pids_.begin(), new_pids_.end());
  // A pid given twice within a walk, or between two attempts, was admitted twice.
  new_pids_.erase(std::unique(new_pids_.begin(), new_pids_.end()), new_pids_.end());
  all_pids_.clear();
  std::set_union(pids_.begin(), pids_.end(), new_pids_.begin(), new_pids_.end(),
                 std::back_inserter(all_pids_));
  std::erase_if(all_pids_, [this](int32_t pid) { return table_->slots()->Find(pid) == kNoSlot; });
  pids_.swap(all_pids_);
  new_pids_.clear();
}

}  // namespace procmuster
