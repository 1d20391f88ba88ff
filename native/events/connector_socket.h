// The socket that messages of the process connector come by, and how many of them were lost on the way.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "events/connector_message.h"

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

class ConnectorSocket {
 public:
  // `bytes`: room for messages that were not received yet.
  explicit ConnectorSocket(uint32_t bytes);
  ~ConnectorSocket();

  // 0 or an errno; *refusal says what that means, where it is known.
  int Open(std::string* refusal);
  int fd() const { return fd_.get(); }
  // The next message that tells of a process; false when none is there. How many were found missing is added
  // to *lost.
  bool Receive(ConnectorMessage* message, double* lost);

 private:
  int Request(bool listen);
  int AwaitAcknowledgement();

  const uint32_t bytes_;
  UniqueFd fd_;
  MessageCounts counts_;
  double overruns_ = 0;  // told by the socket, and not yet found in the counts
};

}  // namespace procmuster
