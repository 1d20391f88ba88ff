// The thread that waits for a source's events, and tells in batches that there are some.
#pragma once

#include <pthread.h>

#include <atomic>
#include <functional>

#include "common/unique_fd.h"
#include "events/event_source.h"

namespace procmuster {

class EventWaiter {
 public:
  // `deliver` is called on the waiting thread, once for each Arm(), never after Stop() has returned.
  EventWaiter(EventSource* source, std::function<void()> deliver)
      : source_(source), deliver_(std::move(deliver)) {}
  ~EventWaiter() { Stop(); }
  EventWaiter(const EventWaiter&) = delete;
  EventWaiter& operator=(const EventWaiter&) = delete;

  int Start();  // an errno
  // Asks to be told once there is something to drain.
  void Arm();
  // Ends the thread and waits for it; may be called again.
  void Stop();

 private:
  static void* Main(void* self);
  void Run();
  void Wake();

  EventSource* source_;
  std::function<void()> deliver_;
  UniqueFd wake_;
  pthread_t thread_ = {};
  bool started_ = false;
  std::atomic<bool> armed_{false};
  std::atomic<bool> stopped_{false};
};

}  // namespace procmuster
