#include "inspect/read_pool.h"

#include <pthread.h>

#include <algorithm>

#include "common/detached_thread.h"

namespace procmuster {

uint64_t ReadPool::Submit(size_t count, Work work) {
  std::lock_guard lock(mutex_);
  if (stopped_) return 0;
  auto job = std::make_shared<Job>();
  job->id = next_id_++;
  job->files.resize(count);
  job->work = std::move(work);
  queue_.push_back(job);
  jobs_.emplace(job->id, job);
  // Threads end when the queue is empty, so that an idle process has none; starting one costs some 30 us.
  if (threads_ - stuck_ < kThreads && threads_ < kMaxThreads && !StartThreadLocked() && threads_ == 0) {
    queue_.pop_back();
    jobs_.erase(job->id);
    return 0;
  }
  return job->id;
}

std::vector<ReadPool::Result> ReadPool::Drain() {
  std::lock_guard lock(mutex_);
  return std::move(done_);
}

bool ReadPool::Abandon(uint64_t id, Result* result) {
  std::lock_guard lock(mutex_);
  auto found = jobs_.find(id);
  if (found == jobs_.end()) return false;
  std::shared_ptr<Job> job = found->second;
  jobs_.erase(found);
  job->abandoned = true;
  *result = {job->id, job->started, std::move(job->files)};
  if (!job->started) {
    queue_.erase(std::find(queue_.begin(), queue_.end(), job));
    return true;
  }
  stuck_++;
  if (!queue_.empty() && threads_ < kMaxThreads) StartThreadLocked();
  return true;
}

void ReadPool::Stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  queue_.clear();
}

bool ReadPool::StartThreadLocked() {
  auto* self = new std::shared_ptr<ReadPool>(shared_from_this());
  if (StartDetachedThread(&ReadPool::Main, self) != 0) {
    delete self;
    return false;
  }
  threads_++;
  return true;
}

void* ReadPool::Main(void* pool) {
  std::unique_ptr<std::shared_ptr<ReadPool>> owned(static_cast<std::shared_ptr<ReadPool>*>(pool));
  pthread_setname_np(pthread_self(), "muster-reads");
  (*owned)->Run();
  return nullptr;
}

void ReadPool::Run() {
  std::unique_lock lock(mutex_);
  // One too many after a stuck one came back: that one ends.
  while (!stopped_ && !queue_.empty() && threads_ - stuck_ <= kThreads) {
    std::shared_ptr<Job> job = std::move(queue_.front());
    queue_.pop_front();
    job->started = true;
    lock.unlock();
    job->work([&](size_t index, FileContent content) {
      std::lock_guard publishing(mutex_);
      if (job->abandoned || stopped_) return false;
      job->files[index] = std::move(content);
      return true;
    });
    lock.lock();
    if (job->abandoned) {
      stuck_--;
      continue;
    }
    jobs_.erase(job->id);
    if (stopped_) break;
    done_.push_back({job->id, true, std::move(job->files)});
    if (done_.size() == 1) notify_();
  }
  threads_--;
}

}  // namespace procmuster
