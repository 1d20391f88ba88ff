// Events from the netlink process connector. A message has pids and an exit status and no more; who a process
// is has to be read from /proc while it is there, so messages are taken as they come and kept until they are
// read.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "events/connector_message.h"
#include "events/connector_socket.h"
#include "events/event.h"
#include "events/event_source.h"
#include "source/procfs/parse.h"

namespace procmuster {

class ProcessConnector : public EventSource {
 public:
  // `wanted`: bits 1 << kEvent...; `bytes`: room for events that were not read yet, and of the socket.
  ProcessConnector(uint32_t wanted, uint32_t bytes);

  int Open(std::string* refusal) override { return socket_.Open(refusal); }
  int fd() const override { return socket_.fd(); }
  bool eager() const override { return true; }
  void Prepare() override;
  bool Collect() override;
  bool HasBacklog() const override { return !inbox_.empty(); }
  size_t Drain(double* cells, size_t capacity) override;
  double lost() const override;

 private:
  struct Known {
    double start_ticks = kUnknown;
    double pidfs_inode = kUnknown;
    double ppid = kUnknown;
    char name[16] = {};
  };

  void Handle(const ConnectorMessage& message);
  void HandleExit(const ConnectorMessage& message);
  // Fills in who it is; whether /proc could still be asked, and told of the one that it was at that time.
  bool Read(int32_t pid, uint64_t monotonic_ns, Event* event);
  void Receive();
  void EndRound();
  bool IsKnown(int32_t pid, const StatFields& stat) const;
  Event Describe(uint32_t type, const ConnectorMessage& message) const;
  void Keep(const Event& event);
  void Lose(double count);

  const uint32_t wanted_;
  const size_t capacity_;  // of events_
  const size_t inbox_capacity_;
  // Of the waiting thread.
  ConnectorSocket socket_;
  std::deque<ConnectorMessage> inbox_;
  std::unordered_map<int32_t, Known> known_;
  std::unordered_set<int32_t> headless_;  // processes whose main thread has ended before the others
  // Events whose messages were read since the socket was last empty; type 0: taken back. An exit's place, by
  // pid.
  std::vector<Event> round_;
  std::unordered_map<int32_t, size_t> ended_;

  mutable std::mutex mutex_;  // guards what follows
  std::deque<Event> events_;
  double lost_ = 0;
};

}  // namespace procmuster
