#include "source/procfs/shard.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "common/clock.h"
#include "table/join.h"

namespace procmuster {
namespace {

constexpr uint32_t kForkNoExec = 0x40;     // PF_FORKNOEXEC of linux/sched.h: has not called exec yet
constexpr uint64_t kUidRefreshPeriod = 8;  // samples

const double kTickNs = 1e9 / static_cast<double>(sysconf(_SC_CLK_TCK));
const double kPageBytes = static_cast<double>(sysconf(_SC_PAGESIZE));

// Zero-padded, cut to the region's width.
void StoreName(std::string_view name, char* out) {
  const size_t length = std::min<size_t>(name.size(), kNameBytes);
  memcpy(out, name.data(), length);
  memset(out + length, 0, kNameBytes - length);
}

}  // namespace

Scanner::Shard::Shard(const ScanOptions& options, const std::unique_ptr<Slots>* slots, const ScanPass* pass,
                      const std::atomic<bool>* cancelled)
    : options_(options), slots_(slots), pass_(pass), cancelled_(cancelled) {}

Scanner::Shard::~Shard() {
  if (!thread_.joinable()) return;
  Begin(Phase::stop);
  thread_.join();
}

Status Scanner::Shard::Open() {
  thread_ = std::thread([this] { Run(); });
  Wait();
  return opened_;
}

void Scanner::Shard::Begin(Phase phase) {
  phase_ = phase;
  begin_.release();
}

void Scanner::Shard::Wait() { end_.acquire(); }

void Scanner::Shard::Run() {
  opened_ = files_.Open(options_.proc_root.c_str(), options_.descriptor_budget / options_.threads);
  end_.release();
  for (;;) {
    begin_.acquire();
    const double started_ns = ClockNs(CLOCK_THREAD_CPUTIME_ID);
    switch (phase_) {
      case Phase::read:
        cpu_ns = 0;
        ReadAll();
        break;
      case Phase::retire:
        RetireUnseen();
        break;
      case Phase::stop:
        for (Tracked& process : tracked_) files_.Drop(&process.files);
        files_.Close();
        return;
    }
    cpu_ns += ClockNs(CLOCK_THREAD_CPUTIME_ID) - started_ns;
    end_.release();
  }
}

void Scanner::Shard::ReadAll() {
  born.clear();
  execed.clear();
  without_slot = 0;
  vanished = 0;
  for (int32_t pid : pids) {
    if (cancelled_->load(std::memory_order_relaxed)) return;
    ReadProcess(pid);
  }
}

void Scanner::Shard::ReadProcess(int32_t pid) {
  const uint32_t slot = (*slots_)->Find(pid);
  if (slot != kNoSlot) {
    Tracked* process = &tracked_[index_of_slot_[slot]];
    if (ReadTracked(process)) return;
    files_.Drop(&process->files);  // it has gone, and its pid may belong to another one already
  }
  Track(pid);
}

bool Scanner::Shard::ReadTracked(Tracked* process) {
  if (!process->inode_settled) process->pidfs_inode = files_.PidfsInodeOf(process->pid);
  int error = 0;
  StatFields stat;
  std::string_view text = files_.Read(process->pid, ProcFile::stat, &process->files, &error);
  if (text.empty() || !ParseStat(text, &stat) || stat.start_ticks != process->start_ticks) return false;
  FillRow(process, stat);
  return true;
}

void Scanner::Shard::Track(int32_t pid) {
  Tracked process = {};
  process.files = KeptFiles{};
  process.pid = pid;
  // Before the stat: a process that started at an earlier tick than this sample had the pid then already.
  process.pidfs_inode = files_.PidfsInodeOf(pid);
  int error = 0;
  StatFields stat;
  std::string_view text = files_.Read(pid, ProcFile::stat, &process.files, &error);
  if (text.empty() || !ParseStat(text, &stat)) {
    files_.Drop(&process.files);
    vanished++;
    return;
  }
  process.slot = (*slots_)->Take(pid, &process.generation);
  if (process.slot == kNoSlot) {
    files_.Drop(&process.files);
    without_slot++;
    return;
  }
  process.start_ticks = stat.start_ticks;
  process.start_stack = stat.start_stack;
  process.flags = stat.flags;
  process.born_sequence = pass_->sequence;
  if (process.slot >= index_of_slot_.size()) index_of_slot_.resize(size_t{process.slot} + 1, kNoSlot);
  index_of_slot_[process.slot] = static_cast<uint32_t>(tracked_.size());
  tracked_.push_back(process);
  FillRow(&tracked_.back(), stat);
}

void Scanner::Shard::FillRow(Tracked* process, const StatFields& stat) {
  const TableBuffer& table = pass_->current;
  const uint32_t slot = process->slot;
  const bool is_new = process->born_sequence == pass_->sequence;
  process->seen_round = pass_->round;
  process->inode_settled = stat.start_ticks < pass_->now_ticks;

  memset(table.MissingOf(slot), 0, kMissingWords * sizeof(uint32_t));
  FillStat(*process, stat);
  bool ran_other_program = false;
  if (is_new) {
    born.push_back(slot);
  } else {
    ran_other_program = memcmp(table.NameOf(slot), pass_->previous.NameOf(slot), kNameBytes) != 0 ||
                        (process->flags & ~stat.flags & kForkNoExec) != 0 ||
                        stat.start_stack != process->start_stack;
    if (ran_other_program) execed.push_back(slot);
  }
  const bool refresh = is_new || ran_other_program || stat.flags != process->flags ||
                       (pass_->sequence + slot) % kUidRefreshPeriod == 0;
  process->flags = stat.flags;
  process->start_stack = stat.start_stack;

  if (refresh) files_.OwnerOf(process->pid, &process->uid);
  table.uid[slot] = process->uid;
  if (process->pidfs_inode != 0) {
    table.pidfsInode[slot] = static_cast<double>(process->pidfs_inode);
  } else {
    SetMissing(table, slot, col_pidfsInode);
  }
  FillStatm(process);
  if (table.readBytes) FillIo(process, refresh);
  if (table.rssAnonBytes) FillStatus(process);
  DeriveRow(table, pass_->previous, slot, !is_new, pass_->mem_total_bytes);
}

void Scanner::Shard::FillStat(const Tracked& process, const StatFields& stat) {
  const TableBuffer& table = pass_->current;
  const uint32_t slot = process.slot;
  StoreName(stat.comm, table.NameOf(slot));
  table.pid[slot] = process.pid;
  table.generation[slot] = process.generation;
  table.ppid[slot] = stat.ppid;
  table.pgid[slot] = stat.pgid;
  table.sid[slot] = stat.sid;
  table.ttyNr[slot] = stat.tty_nr;
  table.tpgid[slot] = stat.tpgid;
  table.threads[slot] = stat.threads;
  table.nice[slot] = stat.nice;
  table.priority[slot] = stat.priority;
  table.rtPriority[slot] = stat.rt_priority;
  table.schedPolicy[slot] = stat.sched_policy;
  table.processor[slot] = stat.processor;
  table.flags[slot] = stat.flags;
  table.state[slot] = static_cast<uint8_t>(stat.state);
  table.startTicks[slot] = static_cast<double>(stat.start_ticks);
  table.userTimeNs[slot] = static_cast<double>(stat.user_ticks) * kTickNs;
  table.systemTimeNs[slot] = static_cast<double>(stat.system_ticks) * kTickNs;
  table.vszBytes[slot] = static_cast<double>(stat.vsz_bytes);
  table.minorFaults[slot] = static_cast<double>(stat.minor_faults);
  table.majorFaults[slot] = static_cast<double>(stat.major_faults);
  table.readTimeNs[slot] = ClockNs(CLOCK_MONOTONIC);
}

void Scanner::Shard::FillStatm(Tracked* process) {
  const TableBuffer& table = pass_->current;
  const uint32_t slot = process->slot;
  int error = 0;
  StatmFields statm;
  std::string_view text = files_.Read(process->pid, ProcFile::statm, &process->files, &error);
  if (text.empty() || !ParseStatm(text, &statm)) {
    for (Column column : {col_rssBytes, col_sharedBytes, col_textBytes, col_dataBytes}) {
      SetMissing(table, slot, column);
    }
    return;
  }
  table.rssBytes[slot] = static_cast<double>(statm.resident) * kPageBytes;
  table.sharedBytes[slot] = static_cast<double>(statm.shared) * kPageBytes;
  table.textBytes[slot] = static_cast<double>(statm.text) * kPageBytes;
  table.dataBytes[slot] = static_cast<double>(statm.data) * kPageBytes;
}

void Scanner::Shard::FillIo(Tracked* process, bool refresh) {
  const TableBuffer& table = pass_->current;
  const uint32_t slot = process->slot;
  IoFields io;
  bool ok = false;
  // A process of another user stays closed to us until it changes: no use asking each time.
  if (!process->io_denied || refresh) {
    int error = 0;
    std::string_view text = files_.Read(process->pid, ProcFile::io, &process->files, &error);
    process->io_denied = error == EACCES || error == EPERM;
    ok = !text.empty() && ParseIo(text, &io);
  }
  if (!ok) {
    for (Column column : {col_readBytes, col_writeBytes, col_rchar, col_wchar})
      SetMissing(table, slot, column);
    return;
  }
  table.readBytes[slot] = static_cast<double>(io.read_bytes);
  table.writeBytes[slot] = static_cast<double>(io.write_bytes);
  table.rchar[slot] = static_cast<double>(io.rchar);
  table.wchar[slot] = static_cast<double>(io.wchar);
}

void Scanner::Shard::FillStatus(Tracked* process) {
  const TableBuffer& table = pass_->current;
  const uint32_t slot = process->slot;
  int error = 0;
  StatusFields status = {};
  std::string_view text = files_.Read(process->pid, ProcFile::status, &process->files, &error);
  const bool ok = !text.empty() && ParseStatus(text, &status);

  constexpr double kKiB = 1024;
  if (ok && status.has_memory) {
    table.rssAnonBytes[slot] = static_cast<double>(status.rss_anon_kb) * kKiB;
    table.rssFileBytes[slot] = static_cast<double>(status.rss_file_kb) * kKiB;
    table.rssShmemBytes[slot] = static_cast<double>(status.rss_shmem_kb) * kKiB;
    table.swapBytes[slot] = static_cast<double>(status.swap_kb) * kKiB;
    table.peakRssBytes[slot] = static_cast<double>(status.peak_rss_kb) * kKiB;
    table.lockedBytes[slot] = static_cast<double>(status.locked_kb) * kKiB;
  } else {
    for (Column column : {col_rssAnonBytes, col_rssFileBytes, col_rssShmemBytes, col_swapBytes,
                          col_peakRssBytes, col_lockedBytes}) {
      SetMissing(table, slot, column);
    }
  }
  if (ok && status.has_switches) {
    table.voluntarySwitches[slot] = static_cast<double>(status.voluntary_switches);
    table.involuntarySwitches[slot] = static_cast<double>(status.involuntary_switches);
  } else {
    SetMissing(table, slot, col_voluntarySwitches);
    SetMissing(table, slot, col_involuntarySwitches);
  }
  if (ok) {
    table.realUid[slot] = status.uid[0];
    table.effectiveUid[slot] = status.uid[1];
    table.savedUid[slot] = status.uid[2];
    table.fsUid[slot] = status.uid[3];
    table.realGid[slot] = status.gid[0];
    table.effectiveGid[slot] = status.gid[1];
    table.savedGid[slot] = status.gid[2];
    table.fsGid[slot] = status.gid[3];
    table.uid[slot] = process->uid = status.uid[1];
  } else {
    for (Column column : {col_realUid, col_effectiveUid, col_savedUid, col_fsUid, col_realGid,
                          col_effectiveGid, col_savedGid, col_fsGid}) {
      SetMissing(table, slot, column);
    }
  }
}

void Scanner::Shard::RetireUnseen() {
  gone.clear();
  for (size_t i = 0; i < tracked_.size();) {
    Tracked& process = tracked_[i];
    if (process.seen_round == pass_->round) {
      i++;
      continue;
    }
    files_.Drop(&process.files);
    (*slots_)->Free(process.pid, process.slot);
    // One that came and went between two attempts of this sample was never shown.
    if (process.born_sequence != pass_->sequence) {
      CopyRow(pass_->previous, pass_->current, process.slot);
      gone.push_back(process.slot);
    }
    index_of_slot_[process.slot] = kNoSlot;
    tracked_[i] = tracked_.back();
    tracked_.pop_back();
    if (i < tracked_.size()) index_of_slot_[tracked_[i].slot] = static_cast<uint32_t>(i);
  }
}

}  // namespace procmuster
