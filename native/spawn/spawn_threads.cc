#include "spawn/spawn_threads.h"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "common/detached_thread.h"

namespace procmuster {
namespace {

class SpawnThreads {
 public:
  int Run(std::function<void()> work) {
    std::lock_guard lock(mutex_);
    if (free_ > 0) {
      free_--;
    } else if (int error = StartDetachedThread(&SpawnThreads::Main, this)) {
      return error;
    }
    queue_.push_back(std::move(work));
    wake_.notify_one();
    return 0;
  }

 private:
  static void* Main(void* self) {
    pthread_setname_np(pthread_self(), "muster-spawn");
    static_cast<SpawnThreads*>(self)->Loop();
    return nullptr;
  }

  void Loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return !queue_.empty(); });
      std::function<void()> work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      work();
      work = nullptr;  // what it holds is let go before the thread is free again
      lock.lock();
      free_++;
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  int free_ = 0;  // idle threads that no queued work is meant for
};

}  // namespace

int RunOnSpawnThread(std::function<void()> work) {
  // Of the process, not of an environment: a worker's end must not kill what was restarted from it. Never
  // destroyed, since its threads outlive every destructor.
  static auto* threads = new SpawnThreads;
  return threads->Run(std::move(work));
}

}  // namespace procmuster
