#include "events/process_connector.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "common/clock.h"
#include "common/pidfd.h"
#include "common/unique_fd.h"
#include "source/procfs/pid_list.h"

namespace procmuster {
namespace {

constexpr int kMessagesAtOnce = 256;
constexpr size_t kLongestRound = 4096;

// The file's text, or empty.
std::string_view ReadFile(int32_t pid, const char* file, char* buffer, size_t size) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
  UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return {};
  ssize_t length = read(fd.get(), buffer, size);
  return {buffer, length > 0 ? static_cast<size_t>(length) : 0};
}

void CopyName(std::string_view name, char (&to)[16]) {
  memset(to, 0, sizeof(to));
  memcpy(to, name.data(), std::min(name.size(), sizeof(to) - 1));
}

double TickNs() { return 1e9 / static_cast<double>(sysconf(_SC_CLK_TCK)); }

}  // namespace

ProcessConnector::ProcessConnector(uint32_t wanted, uint32_t bytes)
    : wanted_(wanted),
      capacity_(std::max<size_t>(bytes / sizeof(Event), 16)),
      inbox_capacity_(std::max<size_t>(bytes / sizeof(ConnectorMessage), 1024)),
      socket_(bytes) {}

// Who ends may be reaped before its message is read: so those who are there already are looked at now.
void ProcessConnector::Prepare() {
  UniqueFd proc(open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::vector<int32_t> pids;
  if (!proc.valid() || ListPids(proc.get(), &pids) != 0) return;
  uint64_t now = static_cast<uint64_t>(ClockNs(CLOCK_MONOTONIC));
  for (int32_t pid : pids) {
    Event event;
    Read(pid, now, &event);
    if (pid % 16 == 0) Receive();
  }
}

// Taking a message costs a hundredth of asking /proc about it, and the socket holds only so many.
void ProcessConnector::Receive() {
  ConnectorMessage message;
  double lost = 0;
  while (inbox_.size() < inbox_capacity_ && socket_.Receive(&message, &lost)) inbox_.push_back(message);
  Lose(lost);
}

bool ProcessConnector::Collect() {
  for (int handled = 0; handled < kMessagesAtOnce; handled++) {
    if (inbox_.empty() || handled % 16 == 0) Receive();
    if (inbox_.empty()) {
      EndRound();
      break;
    }
    Handle(inbox_.front());
    inbox_.pop_front();
  }
  if (round_.size() > kLongestRound) EndRound();
  std::lock_guard lock(mutex_);
  return !events_.empty() || lost_ > 0;
}

void ProcessConnector::Handle(const ConnectorMessage& message) {
  bool main_thread = message.tid == message.pid;
  switch (message.kind) {
    case ConnectorMessage::kFork: {
      if (!main_thread) return;
      ended_.erase(message.pid);
      known_.erase(message.pid);  // a predecessor whose end was lost
      known_[message.pid].ppid = message.parent_pid;
      Event event = Describe(kEventFork, message);
      Read(message.pid, message.monotonic_ns, &event);
      event.ppid = message.parent_pid;
      // By now it can have executed a program: what it was called when it was made is its parent's name.
      auto parent = known_.find(message.parent_pid);
      if (parent != known_.end()) memcpy(event.name, parent->second.name, sizeof(event.name));
      round_.push_back(event);
      return;
    }
    case ConnectorMessage::kExec: {
      // Where another thread than the main one executes, that one ends, and this takes its place.
      headless_.erase(message.pid);
      if (auto ended = ended_.find(message.pid); ended != ended_.end()) {
        round_[ended->second].type = 0;
        ended_.erase(ended);
      }
      Event event = Describe(kEventExec, message);
      Read(message.pid, message.monotonic_ns, &event);
      round_.push_back(event);
      return;
    }
    case ConnectorMessage::kName: {
      auto known = known_.find(message.pid);
      if (main_thread && known != known_.end()) {
        memcpy(known->second.name, message.name, sizeof(message.name));
        known->second.name[15] = '\0';
      }
      return;
    }
    case ConnectorMessage::kExit:
      HandleExit(message);
      return;
    default:
      return;
  }
}

void ProcessConnector::HandleExit(const ConnectorMessage& message) {
  if (message.tid != message.pid && headless_.find(message.pid) == headless_.end()) {
    // A thread that ends on its own has status 0, one that ends with the process the process's.
    auto ended = ended_.find(message.pid);
    if (ended != ended_.end() && message.status != 0) SetStatus(message.status, &round_[ended->second]);
    return;
  }
  char buffer[2048];
  StatFields stat;
  bool there = ParseStat(ReadFile(message.pid, "stat", buffer, sizeof(buffer)), &stat);
  if (there && stat.state == 'Z' && stat.threads > 1) {
    headless_.insert(message.pid);  // the main thread has ended, the process has not
    return;
  }
  // Another thread has taken the main one's place, or a successor the pid.
  if (there && stat.state != 'Z' && stat.state != 'X' && IsKnown(message.pid, stat)) return;
  headless_.erase(message.pid);
  Event event = Describe(kEventExit, message);
  bool same = Read(message.pid, message.monotonic_ns, &event);
  SetStatus(message.status, &event);
  if (message.parent_pid > 0) event.ppid = message.parent_pid;
  if (same && there) {
    event.cpu_ns = static_cast<double>(stat.user_ticks + stat.system_ticks) * TickNs();
    IoFields io;
    if (ParseIo(ReadFile(message.pid, "io", buffer, sizeof(buffer)), &io)) {
      event.read_bytes = static_cast<double>(io.read_bytes);
      event.write_bytes = static_cast<double>(io.write_bytes);
    }
  }
  if (!std::isnan(event.start_ticks)) {
    double suspended = ClockNs(CLOCK_BOOTTIME) - ClockNs(CLOCK_MONOTONIC);
    double lifetime = static_cast<double>(message.monotonic_ns) + suspended - event.start_ticks * TickNs();
    event.lifetime_ms = std::max(0.0, lifetime / 1e6);
  }
  ended_[message.pid] = round_.size();
  round_.push_back(event);
}

// All that was sent until now is read: who was found gone did not execute a program before that.
void ProcessConnector::EndRound() {
  for (const auto& [pid, index] : ended_) known_.erase(pid);
  ended_.clear();
  for (const Event& event : round_) {
    if (event.type != 0) Keep(event);
  }
  round_.clear();
}

bool ProcessConnector::IsKnown(int32_t pid, const StatFields& stat) const {
  auto known = known_.find(pid);
  return known != known_.end() && known->second.start_ticks == static_cast<double>(stat.start_ticks);
}

Event ProcessConnector::Describe(uint32_t type, const ConnectorMessage& message) const {
  Event event;
  event.type = type;
  event.pid = message.pid;
  event.at_ms =
      (ClockNs(CLOCK_REALTIME) - ClockNs(CLOCK_MONOTONIC) + static_cast<double>(message.monotonic_ns)) / 1e6;
  return event;
}

bool ProcessConnector::Read(int32_t pid, uint64_t monotonic_ns, Event* event) {
  Known& known = known_[pid];
  // The pidfd first: were it a successor's, stat would be so, too, and tell of a later start.
  UniqueFd pidfd;
  if (std::isnan(known.pidfs_inode)) OpenPidfd(pid, &pidfd);
  char buffer[2048];
  StatFields stat;
  bool there = ParseStat(ReadFile(pid, "stat", buffer, sizeof(buffer)), &stat);
  if (there) {
    double suspended = ClockNs(CLOCK_BOOTTIME) - ClockNs(CLOCK_MONOTONIC);
    double start_ns = static_cast<double>(stat.start_ticks) * TickNs();
    there = start_ns <= static_cast<double>(monotonic_ns) + suspended &&
            (std::isnan(known.start_ticks) || known.start_ticks == static_cast<double>(stat.start_ticks));
  }
  if (there) {
    known.start_ticks = static_cast<double>(stat.start_ticks);
    if (stat.state != 'X') known.ppid = stat.ppid;  // one that is being reaped shows none
    CopyName(stat.comm, known.name);
    if (pidfd.valid()) {
      if (uint64_t inode = PidfdInode(pidfd.get())) known.pidfs_inode = static_cast<double>(inode);
    }
  }
  event->start_ticks = known.start_ticks;
  event->pidfs_inode = known.pidfs_inode;
  event->ppid = known.ppid;
  memcpy(event->name, known.name, sizeof(event->name));
  return there;
}

void ProcessConnector::Keep(const Event& event) {
  if (!(wanted_ & (1u << event.type))) return;
  std::lock_guard lock(mutex_);
  if (events_.size() >= capacity_) {
    lost_ += 1;
    return;
  }
  events_.push_back(event);
  events_.back().lost = lost_;
}

void ProcessConnector::Lose(double count) {
  if (count <= 0) return;
  std::lock_guard lock(mutex_);
  lost_ += count;
}

size_t ProcessConnector::Drain(double* cells, size_t capacity) {
  std::lock_guard lock(mutex_);
  size_t count = std::min(capacity, events_.size());
  for (size_t i = 0; i < count; i++) WriteCells(events_[i], cells + kEventCells * i);
  events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(count));
  return count;
}

double ProcessConnector::lost() const {
  std::lock_guard lock(mutex_);
  return lost_;
}

}  // namespace procmuster
