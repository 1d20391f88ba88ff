// Waits for processes to exit, by pidfd: one thread for all of them, there only while something is watched.
#pragma once

#include <pthread.h>
#include <sys/resource.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <unordered_map>

#include "common/unique_fd.h"

namespace procmuster {

struct ExitRecord {
  uint64_t id = 0;
  bool reaped = false;  // the rest is known of our own children only
  bool by_signal = false;
  bool core_dumped = false;
  int status = 0;           // exit code, or the signal's number
  double reaped_at_ms = 0;  // CLOCK_MONOTONIC, as process.hrtime() counts
  struct rusage usage = {};
};

class ExitWatch {
 public:
  // `deliver` is called on the watching thread, never after Stop() has returned.
  explicit ExitWatch(std::function<void(const ExitRecord&)> deliver) : deliver_(std::move(deliver)) {}
  ~ExitWatch() { Stop(); }
  ExitWatch(const ExitWatch&) = delete;
  ExitWatch& operator=(const ExitWatch&) = delete;

  // With `reap` the process must be our child: it is waited for, so that it leaves no zombie.
  int Add(uint64_t id, int pidfd, bool reap);
  // False when it has been told of already, or is about to be.
  bool Remove(uint64_t id);
  // Ends the thread and waits for it; may be called again. Children are waited for all the same.
  void Stop();

 private:
  struct Entry {
    UniqueFd pidfd;
    bool reap = false;
  };

  static void* Main(void* self);
  void Run();
  void LeaveChildren();
  int StartLocked();
  void WakeLocked();

  std::function<void(const ExitRecord&)> deliver_;
  std::mutex mutex_;
  std::unordered_map<uint64_t, Entry> entries_;
  UniqueFd epoll_;
  UniqueFd wake_;
  pthread_t thread_ = {};
  bool running_ = false;   // the thread will look at entries_ again
  bool joinable_ = false;  // it was started and not yet joined
  bool stopped_ = false;
};

}  // namespace procmuster
