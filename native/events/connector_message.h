// Messages of the process connector (linux/cn_proc.h): bytes in, struct out, no I/O and no allocation.
#pragma once

#include <cstddef>
#include <cstdint>

namespace procmuster {

struct ConnectorMessage {
  enum Kind { kOther, kAcknowledged, kFork, kExec, kName, kExit } kind;
  uint32_t sequence;  // counts the events of that processor
  uint32_t cpu;
  uint64_t monotonic_ns;  // when it happened
  uint32_t error;         // kAcknowledged: a positive errno, 0 for success
  int32_t tid, pid;       // of whom it tells; kFork: of the child
  int32_t parent_pid;     // kFork and kExit; -1 where the kernel does not tell
  char name[16];          // kName
  uint32_t status;        // kExit: as wait(2) tells it, of the thread
};

// One datagram. False for what is no message of the process connector; *message is unspecified then.
bool ParseConnectorMessage(const void* data, size_t size, ConnectorMessage* message);

// The request to listen, or to listen no more; returns its size.
constexpr size_t kConnectorRequestBytes = 40;
void WriteConnectorRequest(bool listen, char (&buffer)[kConnectorRequestBytes]);

}  // namespace procmuster
