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

#include "common/unique_fd.h"
#include "events/connector_message.h"
#include "events/event.h"
#include "events/event_source.h"
#include "source/procfs/parse.h"

namespace procmuster {

// Finds the losses: each processor counts its messages.
class MessageCounts {
 public:
  // How many messages of that processor are missing before this one.
  uint32_t MissingBefore(uint32_t cpu, uint32_t sequence);

 private:
  struct Count {
    bool known = false;
    uint32_t next = 0;
  };
  std::vector<Count> counts_;
};

class ProcessConnector : public EventSource {
 public:
  // `wanted`: bits 1 << kEvent...; `bytes`: room for events that were not read yet, and of the socket.
  ProcessConnector(uint32_t wanted, uint32_t bytes);
  ~ProcessConnector() override;

  int Open(std::string* refusal) override;
  int fd() const override { return socket_.get(); }
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

  int Request(bool listen);
  int AwaitAcknowledgement();
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
  const uint32_t bytes_;
  const size_t capacity_;  // of events_
  const size_t inbox_capacity_;
  UniqueFd socket_;
  // Of the waiting thread.
  std::deque<ConnectorMessage> inbox_;
  MessageCounts counts_;
  double overruns_ = 0;  // told by the socket, and not yet found in the counts
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
