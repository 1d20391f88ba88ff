// Where events come from, as the waiting thread and the binding use it.
#pragma once

#include <cstddef>
#include <string>

namespace procmuster {

class EventSource {
 public:
  virtual ~EventSource() = default;

  // On a pool thread. An errno, 0 for success; `refusal` says more where there is more to say.
  virtual int Open(std::string* refusal) = 0;
  // Readable when something may have come.
  virtual int fd() const = 0;
  // Whether it has to be collected at once, because what an event tells is gone soon; else only while
  // somebody waits for an event.
  virtual bool eager() const = 0;
  // The waiting thread calls these: once before it waits, and when fd() is readable. Collect says whether
  // Drain has something.
  virtual void Prepare() {}
  virtual bool Collect() = 0;
  // Whether to collect again at once, whatever fd() says.
  virtual bool HasBacklog() const { return false; }
  // On the JavaScript thread: the oldest events, kEventCells each, at most `capacity` of them.
  virtual size_t Drain(double* cells, size_t capacity) = 0;
  // Events lost so far.
  virtual double lost() const = 0;
};

}  // namespace procmuster
