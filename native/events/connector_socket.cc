#include "events/connector_socket.h"

#include <errno.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "common/clock.h"

namespace procmuster {
namespace {

constexpr int kAcknowledgeMs = 200;     // it answers within the request
constexpr size_t kMessageBytes = 1024;  // a message is below 100
// The kernel charges a message with about ten times its size.
constexpr uint32_t kSmallestSocketBytes = 1 << 18;

}  // namespace

uint32_t MessageCounts::MissingBefore(uint32_t cpu, uint32_t sequence) {
  constexpr uint32_t kMostProcessors = 1 << 16;
  if (cpu >= kMostProcessors) return 0;
  if (cpu >= counts_.size()) counts_.resize(cpu + 1);
  Count& count = counts_[cpu];
  uint32_t missing = count.known ? sequence - count.next : 0;
  count = {true, sequence + 1};
  return missing;
}

ConnectorSocket::ConnectorSocket(uint32_t bytes) : bytes_(bytes) {}

ConnectorSocket::~ConnectorSocket() {
  // Older kernels go on making messages for a listener that is gone.
  if (fd_.valid()) Request(false);
}

int ConnectorSocket::Open(std::string* refusal) {
  fd_.reset(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR));
  if (!fd_.valid()) {
    *refusal = "the kernel has no process connector";
    return errno;
  }
  int room = static_cast<int>(std::max(bytes_, kSmallestSocketBytes));
  if (setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0) {
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
  }
  struct sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_groups = CN_IDX_PROC;
  if (bind(fd_.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof(address)) != 0) {
    *refusal = "the process connector needs CAP_NET_ADMIN";
    return errno;
  }
  int error = Request(true);
  if (error == 0) error = AwaitAcknowledgement();
  if (error == EPERM) *refusal = "the process connector needs CAP_NET_ADMIN";
  if (error == ECONNREFUSED)
    *refusal = "the process connector is not there, or not in this network namespace";
  if (error == ETIMEDOUT) {
    *refusal = "the process connector does not answer: this process is in a pid or user namespace of its own";
  }
  if (error != 0) fd_.reset();
  return error;
}

int ConnectorSocket::Request(bool listen) {
  char request[kConnectorRequestBytes];
  WriteConnectorRequest(listen, request);
  return send(fd_.get(), request, sizeof(request), MSG_NOSIGNAL) < 0 ? errno : 0;
}

int ConnectorSocket::AwaitAcknowledgement() {
  double deadline = ClockNs(CLOCK_MONOTONIC) + kAcknowledgeMs * 1e6;
  char buffer[kMessageBytes];
  for (;;) {
    double left = (deadline - ClockNs(CLOCK_MONOTONIC)) / 1e6;
    if (left <= 0) return ETIMEDOUT;
    struct pollfd readable = {fd_.get(), POLLIN, 0};
    if (poll(&readable, 1, static_cast<int>(left) + 1) < 0) continue;
    ssize_t size = recv(fd_.get(), buffer, sizeof(buffer), 0);
    ConnectorMessage message;
    if (size < 0 || !ParseConnectorMessage(buffer, static_cast<size_t>(size), &message)) continue;
    counts_.MissingBefore(message.cpu, message.sequence);
    if (message.kind == ConnectorMessage::kAcknowledged) return static_cast<int>(message.error);
  }
}

bool ConnectorSocket::Receive(ConnectorMessage* message, double* lost) {
  char buffer[kMessageBytes];
  for (;;) {
    struct sockaddr_nl from = {};
    socklen_t from_size = sizeof(from);
    ssize_t size = recvfrom(fd_.get(), buffer, sizeof(buffer), MSG_DONTWAIT,
                            reinterpret_cast<struct sockaddr*>(&from), &from_size);
    if (size < 0 && errno == ENOBUFS) {
      // At least one; how many, the next message of each processor will tell.
      overruns_ += 1;
      *lost += 1;
      continue;
    }
    if (size < 0) return false;
    if (from.nl_pid != 0 || !ParseConnectorMessage(buffer, static_cast<size_t>(size), message)) continue;
    // Answers to other listeners come here, too, and are counted with the rest.
    double missing = counts_.MissingBefore(message->cpu, message->sequence);
    double told = std::min(missing, overruns_);
    overruns_ -= told;
    *lost += missing - told;
    if (message->kind != ConnectorMessage::kOther && message->kind != ConnectorMessage::kAcknowledged)
      return true;
  }
}

}  // namespace procmuster
