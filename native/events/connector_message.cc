#include "events/connector_message.h"

#include <linux/connector.h>
#include <linux/netlink.h>
#include <string.h>

namespace procmuster {
namespace {

// linux/cn_proc.h, whose names moved between versions. All fields are of the host's byte order.
constexpr uint32_t kListen = 1, kIgnore = 2;
constexpr uint32_t kEventNone = 0, kEventForked = 1, kEventExeced = 2, kEventNamed = 0x200,
                   kEventExited = 0x80000000;
constexpr size_t kMessageAt = NLMSG_HDRLEN;
constexpr size_t kEventAt = kMessageAt + sizeof(cn_msg);
constexpr size_t kDataAt = kEventAt + 16;  // what, cpu, time

template <typename T>
T Read(const char* data) {
  T value;
  memcpy(&value, data, sizeof(value));
  return value;
}

// The fields of event_data, four bytes each.
uint32_t Field(const char* data, size_t index) { return Read<uint32_t>(data + kDataAt + 4 * index); }
int32_t Pid(const char* data, size_t index) { return Read<int32_t>(data + kDataAt + 4 * index); }

}  // namespace

bool ParseConnectorMessage(const void* bytes, size_t size, ConnectorMessage* message) {
  const char* data = static_cast<const char*>(bytes);
  if (size < kDataAt) return false;
  auto header = Read<nlmsghdr>(data);
  if (header.nlmsg_len > size || header.nlmsg_len < kDataAt) return false;
  auto connector = Read<cn_msg>(data + kMessageAt);
  if (connector.id.idx != CN_IDX_PROC || connector.id.val != CN_VAL_PROC) return false;
  size_t end = kEventAt + connector.len;
  if (end > header.nlmsg_len || end < kDataAt) return false;
  size_t fields = (end - kDataAt) / 4;

  *message = {};
  message->sequence = connector.seq;
  message->cpu = Read<uint32_t>(data + kEventAt + 4);
  message->monotonic_ns = Read<uint64_t>(data + kEventAt + 8);
  message->parent_pid = -1;
  switch (Read<uint32_t>(data + kEventAt)) {
    case kEventNone:
      if (fields < 1) return false;
      message->kind = ConnectorMessage::kAcknowledged;
      message->error = Field(data, 0);
      return true;
    case kEventForked:
      if (fields < 4) return false;
      message->kind = ConnectorMessage::kFork;
      message->parent_pid = Pid(data, 1);
      message->tid = Pid(data, 2);
      message->pid = Pid(data, 3);
      break;
    case kEventExeced:
      if (fields < 2) return false;
      message->kind = ConnectorMessage::kExec;
      message->tid = Pid(data, 0);
      message->pid = Pid(data, 1);
      break;
    case kEventNamed:
      if (fields < 6) return false;
      message->kind = ConnectorMessage::kName;
      message->tid = Pid(data, 0);
      message->pid = Pid(data, 1);
      memcpy(message->name, data + kDataAt + 8, sizeof(message->name));
      break;
    case kEventExited:
      if (fields < 4) return false;
      message->kind = ConnectorMessage::kExit;
      message->tid = Pid(data, 0);
      message->pid = Pid(data, 1);
      message->status = Field(data, 2);
      if (fields >= 6) message->parent_pid = Pid(data, 5);  // Linux 4.18
      break;
    default:
      message->kind = ConnectorMessage::kOther;
      return true;
  }
  return message->tid > 0 && message->pid > 0;
}

void WriteConnectorRequest(bool listen, char (&buffer)[kConnectorRequestBytes]) {
  static_assert(kConnectorRequestBytes == kEventAt + 4);
  nlmsghdr header = {};
  header.nlmsg_len = sizeof(buffer);
  header.nlmsg_type = NLMSG_DONE;
  cn_msg connector = {};
  connector.id = {CN_IDX_PROC, CN_VAL_PROC};
  connector.len = sizeof(uint32_t);
  uint32_t operation = listen ? kListen : kIgnore;
  memcpy(buffer, &header, sizeof(header));
  memcpy(buffer + kMessageAt, &connector, sizeof(connector));
  memcpy(buffer + kEventAt, &operation, sizeof(operation));
}

}  // namespace procmuster
