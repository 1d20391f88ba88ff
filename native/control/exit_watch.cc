#include "control/exit_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <vector>

#include "common/pidfd.h"

namespace procmuster {
namespace {

constexpr uint64_t kWakeId = 0;

void Reap(int pidfd, ExitRecord* record) {
  siginfo_t info = {};
  // The raw call: only it returns the resource usage.
  long result = syscall(SYS_waitid, kPidfdIdType, pidfd, &info, WEXITED | WNOHANG, &record->usage);
  if (result != 0 || info.si_pid == 0) return;
  record->reaped = true;
  record->by_signal = info.si_code != CLD_EXITED;
  record->core_dumped = info.si_code == CLD_DUMPED;
  struct timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  record->reaped_at_ms = static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
  record->status = info.si_status;
}

}  // namespace

int ExitWatch::Add(uint64_t id, int pidfd, bool reap) {
  std::lock_guard lock(mutex_);
  if (stopped_) return ECANCELED;
  if (int error = StartLocked()) return error;
  struct epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = id;
  // epoll refuses to take one descriptor twice, and closing the handle must not end the watch: a duplicate
  // for each.
  UniqueFd own(fcntl(pidfd, F_DUPFD_CLOEXEC, 0));
  if (!own.valid() || epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, own.get(), &event) != 0) {
    int error = errno;
    if (entries_.empty()) WakeLocked();
    return error;
  }
  entries_.emplace(id, Entry{std::move(own), reap});
  return 0;
}

bool ExitWatch::Remove(uint64_t id) {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(id);
  if (found == entries_.end()) return false;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.pidfd.get(), nullptr);
  entries_.erase(found);
  if (entries_.empty()) WakeLocked();
  return true;
}

void ExitWatch::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    if (running_) WakeLocked();
    if (!joinable_) return;
    joinable_ = false;
  }
  pthread_join(thread_, nullptr);
  std::lock_guard lock(mutex_);
  // On the main thread the process ends with us, and init waits for its children.
  if (syscall(SYS_gettid) != getpid()) LeaveChildren();
  entries_.clear();
}

void ExitWatch::LeaveChildren() {
  // Never destroyed, since its thread may outlive every destructor.
  static auto* orphans = new ExitWatch([](const ExitRecord&) {});
  static std::atomic<uint64_t> next_id = 1;
  for (const auto& [id, entry] : entries_) {
    if (entry.reap) orphans->Add(next_id++, entry.pidfd.get(), true);
  }
}

int ExitWatch::StartLocked() {
  if (running_) return 0;
  if (joinable_) {
    // It has let go of the mutex for the last time, so this does not wait for anything that waits for us.
    pthread_join(thread_, nullptr);
    joinable_ = false;
  }
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return errno;
  wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_.valid()) return errno;
  struct epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = kWakeId;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) return errno;
  // The process's signals are for the main thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread_, nullptr, &ExitWatch::Main, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return error;
  pthread_setname_np(thread_, "muster-exits");
  running_ = joinable_ = true;
  return 0;
}

void ExitWatch::WakeLocked() {
  uint64_t one = 1;
  if (wake_.valid() && write(wake_.get(), &one, sizeof(one)) < 0) return;  // it is awake already
}

void* ExitWatch::Main(void* self) {
  static_cast<ExitWatch*>(self)->Run();
  return nullptr;
}

void ExitWatch::Run() {
  struct epoll_event events[64];
  std::vector<ExitRecord> exited;
  // The first Add comes right after the start, under the mutex that this thread needs: nothing to end on yet.
  int epoll = epoll_.get();
  for (;;) {
    int count = epoll_wait(epoll, events, 64, -1);
    exited.clear();
    {
      std::lock_guard lock(mutex_);
      for (int i = 0; i < count; i++) {
        uint64_t id = events[i].data.u64;
        if (id == kWakeId) {
          uint64_t drained;
          while (read(wake_.get(), &drained, sizeof(drained)) > 0) continue;
          continue;
        }
        auto found = entries_.find(id);
        if (found == entries_.end()) continue;  // removed meanwhile
        ExitRecord record;
        record.id = id;
        int pidfd = found->second.pidfd.get();
        if (found->second.reap) Reap(pidfd, &record);
        epoll_ctl(epoll, EPOLL_CTL_DEL, pidfd, nullptr);
        entries_.erase(found);
        exited.push_back(record);
      }
      if (stopped_) exited.clear();
    }
    for (const ExitRecord& record : exited) deliver_(record);
    std::lock_guard lock(mutex_);
    if (stopped_ || entries_.empty()) {
      running_ = false;
      epoll_.reset();
      wake_.reset();
      return;
    }
  }
}

}  // namespace procmuster
