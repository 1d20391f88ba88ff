#include "source/procfs/shard.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include <string_view>

#include "common/clock.h"
#include "source/procfs/row.h"
#include "table/join.h"

namespace procmuster {
namespace {

constexpr uint32_t kForkNoExec = 0x40;  // PF_FORKNOEXEC of linux/sched.h: has not called exec yet
// Some 0.2 ms of work. Without yielding, a thread that wakes up while all cores scan, such as the event
// loop's, waits for the scheduler's slice to end, or for its next tick: on two idle cores a p99 of 1.9 to
// 2.0 ms instead of 1.3 to 1.4.
constexpr uint32_t kProcessesPerYield = 16;
constexpr uint64_t kUidRefreshPeriod = 8;  // samples

// These say that we lack something; ENOENT and ESRCH say that the process is gone.
bool IsShortage(int error) { return error == EMFILE || error == ENFILE || error == ENOMEM; }

// A process that is being reaped at this moment still has a stat, with its threads, parent and groups gone
// from it: it has none of what a row is made of.
bool ParseLiveStat(std::string_view text, StatFields* out) {
  return ParseStat(text, out) && out->threads > 0;
}

}  // namespace

Scanner::Shard::Shard(const ScanOptions& options, TableWriter* table, const std::atomic<bool>* cancelled)
    : options_(options), table_(table), cancelled_(cancelled) {}

Scanner::Shard::~Shard() {
  if (!thread_.joinable()) return;
  Begin(Phase::stop);
  thread_.join();
}

int Scanner::Shard::Open() {
  if (int error = thread_.Start<&Shard::Run>(this)) return error;
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
        // Kept descriptors are closed by the end of the thread, which has a table of its own: closing 20,000
        // here would make the event loop wait 100 ms for it.
        files_.Close();
        return;
    }
    cpu_ns += ClockNs(CLOCK_THREAD_CPUTIME_ID) - started_ns;
    end_.release();
  }
}

void Scanner::Shard::ReadAll() {
  changes.Clear();
  without_slot = 0;
  shortage = 0;
  uint32_t until_yield = kProcessesPerYield;
  for (int32_t pid : pids) {
    if (shortage != 0 || cancelled_->load(std::memory_order_relaxed)) return;
    ReadProcess(pid);
    if (--until_yield == 0) {
      LetOthersRun();
      until_yield = kProcessesPerYield;
    }
  }
}

void Scanner::Shard::LetOthersRun() {
  const double now_ns = ClockNs(CLOCK_MONOTONIC);
  if (now_ns < no_yield_before_ns_) return;
  sched_yield();
  // Whoever ran meanwhile gets no more than we take: each yield gives a whole slice away, and a host whose
  // cores are all busy would otherwise starve the scan.
  const double after_ns = ClockNs(CLOCK_MONOTONIC);
  no_yield_before_ns_ = after_ns + (after_ns - now_ns);
}

void Scanner::Shard::ReadProcess(int32_t pid) {
  const uint32_t slot = table_->slots()->Find(pid);
  if (slot != kNoSlot) {
    Tracked* process = roster_.At(slot);
    if (ReadTracked(process) || shortage != 0) return;
    files_.Drop(&process->files);  // it has gone, and its pid may belong to another one already
  }
  Track(pid);
}

bool Scanner::Shard::ReadTracked(Tracked* process) {
  if (!process->inode_settled) process->pidfs_inode = files_.PidfsInodeOf(process->pid);
  int error = 0;
  StatFields stat;
  std::string_view text = files_.Read(process->pid, ProcFile::stat, &process->files, &error);
  if (text.empty() && IsShortage(error)) shortage = error;
  if (text.empty() || !ParseLiveStat(text, &stat) || stat.start_ticks != process->start_ticks) return false;
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
  if (text.empty() || !ParseLiveStat(text, &stat)) {
    files_.Drop(&process.files);
    if (text.empty() && IsShortage(error)) {
      shortage = error;
    } else {
      changes.vanished++;
    }
    return;
  }
  process.start_ticks = stat.start_ticks;
  process.start_stack = stat.start_stack;
  process.flags = stat.flags;
  Tracked* admitted = roster_.Admit(process, table_->pass(), table_->slots());
  if (admitted == nullptr) {
    files_.Drop(&process.files);
    without_slot++;
    return;
  }
  FillRow(admitted, stat);
}

void Scanner::Shard::FillRow(Tracked* process, const StatFields& stat) {
  const Pass& pass = table_->pass();
  const TableBuffer& table = pass.current;
  const uint32_t slot = process->slot;
  const bool is_new = roster_.BeginRow(process, pass, &changes);
  process->inode_settled = stat.start_ticks < pass.now_ticks;

  table.readTimeNs[slot] = ClockNs(CLOCK_MONOTONIC);
  StoreStat(table, slot, stat);
  bool ran_other_program = false;
  if (!is_new) {
    ran_other_program = memcmp(table.NameOf(slot), pass.previous.NameOf(slot), kNameBytes) != 0 ||
                        (process->flags & ~stat.flags & kForkNoExec) != 0 ||
                        (stat.start_stack != process->start_stack && !process->adopted);
    ran_other_program = roster_.NoteExec(process, ran_other_program, pass, &changes);
  }
  const bool refresh = is_new || ran_other_program || stat.flags != process->flags ||
                       (pass.sequence + slot) % kUidRefreshPeriod == 0;
  process->adopted = false;
  process->flags = stat.flags;
  process->start_stack = stat.start_stack;

  if (refresh) files_.OwnerOf(process->pid, &process->uid);
  table.uid[slot] = process->uid;
  if (process->pidfs_inode != 0) {
    table.pidfsInode[slot] = static_cast<double>(process->pidfs_inode);
  } else {
    SetMissing(table, slot, col_pidfsInode);
  }
  StatmFields statm;
  StoreStatm(table, slot, ReadStatm(process, &statm));
  IoFields io;
  if (table.readBytes) StoreIo(table, slot, ReadIo(process, refresh, &io));
  StatusFields status;
  if (table.rssAnonBytes) StoreStatus(table, slot, ReadStatus(process, &status));
  if (table.cgroupId) FillKernel(*process);
  DeriveRow(table, pass.previous, slot, !is_new, pass.mem_total_bytes);
}

const StatmFields* Scanner::Shard::ReadStatm(Tracked* process, StatmFields* out) {
  int error = 0;
  std::string_view text = files_.Read(process->pid, ProcFile::statm, &process->files, &error);
  return !text.empty() && ParseStatm(text, out) ? out : nullptr;
}

const IoFields* Scanner::Shard::ReadIo(Tracked* process, bool refresh, IoFields* out) {
  // A process of another user stays closed to us until it changes: no use asking each time.
  if (process->io_denied && !refresh) return nullptr;
  int error = 0;
  std::string_view text = files_.Read(process->pid, ProcFile::io, &process->files, &error);
  process->io_denied = error == EACCES || error == EPERM;
  return !text.empty() && ParseIo(text, out) ? out : nullptr;
}

const StatusFields* Scanner::Shard::ReadStatus(Tracked* process, StatusFields* out) {
  int error = 0;
  std::string_view text = files_.Read(process->pid, ProcFile::status, &process->files, &error);
  if (text.empty() || !ParseStatus(text, out)) return nullptr;
  process->uid = out->uid[1];
  return out;
}

void Scanner::Shard::FillKernel(const Tracked& process) {
  uint32_t open_files;
  int32_t oom_score_adj;
  const bool has_files = files_.OpenFilesOf(process.pid, &open_files);
  const bool has_score = ParseOomScoreAdj(files_.ReadOomScoreAdj(process.pid), &oom_score_adj);
  StoreKernel(table_->pass().current, process.slot, has_files ? &open_files : nullptr,
              has_score ? &oom_score_adj : nullptr);
}

void Scanner::Shard::RetireUnseen() {
  roster_.RetireUnseen(table_->pass(), table_->slots(), &changes,
                       [this](Tracked* process) { files_.Drop(&process->files); });
  changes.open_descriptors = files_.kept_count();
}

void Scanner::Shard::Adopt(const KnownProcess& known) {
  Tracked process = {};
  process.files = KeptFiles{};
  process.pid = known.pid;
  process.slot = known.slot;
  process.generation = known.generation;
  process.born_sequence = known.born_sequence;
  process.start_ticks = known.start_ticks;
  process.pidfs_inode = known.pidfs_inode;
  process.inode_settled = known.pidfs_inode != 0;
  process.flags = known.flags;
  process.uid = known.uid;
  process.adopted = true;
  roster_.Add(process);
}

}  // namespace procmuster
