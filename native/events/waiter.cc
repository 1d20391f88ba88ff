#include "events/waiter.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

namespace procmuster {
namespace {

// What comes within this time after the first event is told of together: waking the event loop costs more
// than an event does.
constexpr double kBatchNs = 10e6;

}  // namespace

int EventWaiter::Start() {
  wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_.valid()) return errno;
  // The process's signals are for the main thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread_, nullptr, &EventWaiter::Main, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return error;
  pthread_setname_np(thread_, "muster-events");
  started_ = true;
  return 0;
}

void EventWaiter::Arm() {
  armed_ = true;
  Wake();
}

void EventWaiter::Stop() {
  if (!started_) return;
  stopped_ = true;
  Wake();
  pthread_join(thread_, nullptr);
  started_ = false;
}

void EventWaiter::Wake() {
  uint64_t one = 1;
  if (write(wake_.get(), &one, sizeof(one)) < 0) return;  // it is awake already
}

void* EventWaiter::Main(void* self) {
  static_cast<EventWaiter*>(self)->Run();
  return nullptr;
}

void EventWaiter::Run() {
  source_->Prepare();
  bool waiting = source_->eager();  // nothing collected that has not been told of
  double deliver_at = 0;            // 0: nothing to deliver
  while (!stopped_) {
    // Level-triggered: what has come already is seen, too.
    bool listen = source_->eager() || (armed_ && deliver_at == 0);
    struct pollfd fds[] = {{wake_.get(), POLLIN, 0}, {listen ? source_->fd() : -1, POLLIN, 0}};
    struct timespec timeout = {};
    if (deliver_at != 0) {
      double left = deliver_at - ClockNs(CLOCK_MONOTONIC);
      if (left > 0) timeout.tv_nsec = static_cast<long>(left);
    }
    bool backlog = source_->HasBacklog();
    if (backlog) timeout = {};
    if (ppoll(fds, 2, backlog || deliver_at != 0 ? &timeout : nullptr, nullptr) < 0 && errno != EINTR) return;
    uint64_t drained;
    if (fds[0].revents != 0 && read(wake_.get(), &drained, sizeof(drained)) < 0) continue;
    if ((backlog || fds[1].revents != 0) && source_->Collect()) waiting = true;
    if (!armed_) continue;
    double now = ClockNs(CLOCK_MONOTONIC);
    if (deliver_at == 0 && waiting) deliver_at = now + kBatchNs;
    if (deliver_at == 0 || now < deliver_at) continue;
    deliver_at = 0;
    waiting = false;
    armed_ = false;
    deliver_();
  }
}

}  // namespace procmuster
