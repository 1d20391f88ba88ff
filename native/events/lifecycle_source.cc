#include "events/lifecycle_source.h"

#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "events/lifecycle_program.h"

namespace procmuster {

int LifecycleSource::Open(std::string* refusal) {
  tick_ns_ = 1e9 / static_cast<double>(sysconf(_SC_CLK_TCK));
  page_bytes_ = static_cast<double>(sysconf(_SC_PAGESIZE));
  lifecycle_descriptors loaded = {bytes_, -1, -1, -1, -1, -1, -1, -1};
  if (int error = LoadProgram(lifecycle_load, &loaded, refusal)) return error;
  // A link keeps its program, and a program its maps.
  UniqueFd state(loaded.state_fd), on_fork(loaded.fork_fd), on_exec(loaded.exec_fd), on_exit(loaded.exit_fd),
      on_signal(loaded.signal_fd), on_wakeup(loaded.wakeup_fd);
  ring_fd_.reset(loaded.events_fd);
  if (int error = state_.Map(state.get(), sizeof(lifecycle_state))) return error;
  if (int error = ring_.Map(ring_fd_.get(), bytes_)) return error;
  static_cast<lifecycle_state*>(state_.get())->wanted = wanted_;
  if (int error = Attach(on_fork.get(), 1 << kEventFork, &links_[0])) return error;
  if (int error = Attach(on_exec.get(), 1 << kEventExec, &links_[1])) return error;
  if (int error = Attach(on_exit.get(), 1 << kEventExit, &links_[2])) return error;
  // An exit tells who sent the signal, and what the process used of its last tick.
  if (int error = Attach(on_signal.get(), 1 << kEventSignal | 1 << kEventExit, &links_[3])) return error;
  return Attach(on_wakeup.get(), 1 << kEventExit, &links_[4]);
}

int LifecycleSource::Attach(int program_fd, uint32_t types, UniqueFd* link) {
  if (!(wanted_ & types)) return 0;
  int fd = lifecycle_attach(program_fd);
  if (fd < 0) return -fd;
  link->reset(fd);
  return 0;
}

double LifecycleSource::lost() const {
  const auto* state = static_cast<const lifecycle_state*>(state_.get());
  return state ? static_cast<double>(__atomic_load_n(&state->lost, __ATOMIC_RELAXED)) : 0;
}

size_t LifecycleSource::Drain(double* cells, size_t capacity) {
  epoch_ns_ = ClockNs(CLOCK_REALTIME) - ClockNs(CLOCK_BOOTTIME);
  size_t count = 0;
  size_t size;
  while (count < capacity) {
    const void* record = ring_.Front(&size);
    if (!record) break;
    Event event;
    if (Read(record, size, &event)) WriteCells(event, cells + kEventCells * count++);
    ring_.Pop();
  }
  return count;
}

bool LifecycleSource::Read(const void* record, size_t size, Event* event) const {
  const auto* common = static_cast<const lifecycle_event*>(record);
  if (size < sizeof(*common)) return false;
  event->type = common->type;
  event->pid = common->pid;
  event->ppid = common->ppid;
  event->start_ticks = static_cast<double>(common->start_ns / static_cast<uint64_t>(tick_ns_));
  if (common->pidfs_inode != 0) event->pidfs_inode = static_cast<double>(common->pidfs_inode);
  event->at_ms = (epoch_ns_ + static_cast<double>(common->at_ns)) / 1e6;
  event->lost = static_cast<double>(common->lost);
  memcpy(event->name, common->name, sizeof(event->name));
  if (common->type != kEventExit && common->type != kEventSignal) return true;

  const auto* sent = static_cast<const lifecycle_signal*>(record);
  if (size < sizeof(*sent)) return false;
  if (sent->sender.pid != 0) {
    event->sender_pid = sent->sender.pid;
    memcpy(event->sender_name, sent->sender.name, sizeof(event->sender_name));
  }
  if (common->type == kEventSignal) {
    event->signal = sent->signal;
    return true;
  }
  if (size < sizeof(lifecycle_exit)) return false;
  ReadExit(*static_cast<const lifecycle_exit*>(record), event);
  return true;
}

void LifecycleSource::ReadExit(const lifecycle_exit& record, Event* event) const {
  SetStatus(record.status, event);
  event->oom_killed = record.oom_killed;
  event->cpu_ns = static_cast<double>(record.cpu_ns);
  event->peak_rss_bytes = static_cast<double>(record.peak_rss_pages) * page_bytes_;
  if (record.read_bytes != PROCMUSTER_UNCOUNTED) {
    event->read_bytes = static_cast<double>(record.read_bytes);
    event->write_bytes = static_cast<double>(record.write_bytes);
  }
  event->lifetime_ms = static_cast<double>(record.event.at_ns - record.event.start_ns) / 1e6;
}

}  // namespace procmuster
