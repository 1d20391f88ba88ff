// Two threads for reads that may stall. A stuck one is given up and replaced, up to four in all; none is ever
// joined.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "inspect/proc_reader.h"

namespace procmuster {

class ReadPool : public std::enable_shared_from_this<ReadPool> {
 public:
  static constexpr int kThreads = 2;
  static constexpr int kMaxThreads = 4;

  struct Result {
    uint64_t id = 0;
    bool started = false;
    std::vector<FileContent> files;
  };

  // `notify` is called on a pool thread, under the pool's lock, when results wait and none waited before.
  explicit ReadPool(std::function<void()> notify) : notify_(std::move(notify)) {}

  // Work that publishes `count` contents by their index, and stops when that returns false. 0 when no thread
  // could be started and none is there.
  using Work = std::function<void(const Publish&)>;
  uint64_t Submit(size_t count, Work work);
  // What has been read in full since the last call.
  std::vector<Result> Drain();
  // Gives up on a request and returns what there is of it; false when it is done or unknown.
  bool Abandon(uint64_t id, Result* result);
  // No notification after it returns. Threads at work end after their current file, stuck ones whenever they
  // can.
  void Stop();

 private:
  struct Job {
    uint64_t id = 0;
    Work work;
    std::vector<FileContent> files;
    bool started = false;
    bool abandoned = false;
  };

  static void* Main(void* pool);
  void Run();
  bool StartThreadLocked();

  std::function<void()> notify_;
  std::mutex mutex_;
  std::deque<std::shared_ptr<Job>> queue_;
  std::unordered_map<uint64_t, std::shared_ptr<Job>> jobs_;  // queued or being read
  std::vector<Result> done_;
  uint64_t next_id_ = 1;
  int threads_ = 0;
  int stuck_ = 0;  // of them: at work on a request that was given up
  bool stopped_ = false;
};

}  // namespace procmuster
