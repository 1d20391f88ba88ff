#include "events/connector_message.h"

#include <gtest/gtest.h>
#include <linux/connector.h>
#include <linux/netlink.h>

#include <string>
#include <vector>

#include "events/connector_socket.h"

namespace procmuster {
namespace {

struct Words {
  uint32_t what = 0, cpu = 3;
  uint64_t at_ns = 77;
  std::vector<uint32_t> data;
};

// As cn_netlink_send() of the kernel lays it out.
std::string Datagram(const Words& words, uint32_t sequence = 41) {
  std::string event(reinterpret_cast<const char*>(&words.what), 4);
  event.append(reinterpret_cast<const char*>(&words.cpu), 4);
  event.append(reinterpret_cast<const char*>(&words.at_ns), 8);
  event.append(reinterpret_cast<const char*>(words.data.data()), 4 * words.data.size());
  cn_msg connector = {};
  connector.id = {CN_IDX_PROC, CN_VAL_PROC};
  connector.seq = sequence;
  connector.len = static_cast<uint16_t>(event.size());
  nlmsghdr header = {};
  header.nlmsg_len = static_cast<uint32_t>(NLMSG_HDRLEN + sizeof(connector) + event.size());
  header.nlmsg_type = NLMSG_DONE;
  std::string text(reinterpret_cast<const char*>(&header), sizeof(header));
  text.append(reinterpret_cast<const char*>(&connector), sizeof(connector));
  return text + event;
}

bool Parse(const std::string& text, ConnectorMessage* message) {
  return ParseConnectorMessage(text.data(), text.size(), message);
}

TEST(ConnectorMessage, Fork) {
  ConnectorMessage message;
  ASSERT_TRUE(Parse(Datagram({1, 3, 77, {10, 9, 12, 11}}), &message));
  EXPECT_EQ(message.kind, ConnectorMessage::kFork);
  EXPECT_EQ(message.sequence, 41u);
  EXPECT_EQ(message.cpu, 3u);
  EXPECT_EQ(message.monotonic_ns, 77u);
  EXPECT_EQ(message.parent_pid, 9);
  EXPECT_EQ(message.tid, 12);
  EXPECT_EQ(message.pid, 11);
}

TEST(ConnectorMessage, Exec) {
  ConnectorMessage message;
  ASSERT_TRUE(Parse(Datagram({2, 0, 1, {12, 11}}), &message));
  EXPECT_EQ(message.kind, ConnectorMessage::kExec);
  EXPECT_EQ(message.tid, 12);
  EXPECT_EQ(message.pid, 11);
}

TEST(ConnectorMessage, Name) {
  ConnectorMessage message;
  ASSERT_TRUE(Parse(Datagram({0x200, 0, 1, {11, 11, 0x6c0a1b61, 0, 0, 0}}), &message));
  EXPECT_EQ(message.kind, ConnectorMessage::kName);
  EXPECT_STREQ(message.name, "a\x1b\nl");
}

TEST(ConnectorMessage, Exit) {
  ConnectorMessage message;
  ASSERT_TRUE(Parse(Datagram({0x80000000, 0, 1, {11, 11, 0x8b, 17, 10, 9}}), &message));
  EXPECT_EQ(message.kind, ConnectorMessage::kExit);
  EXPECT_EQ(message.status, 0x8bu);
  EXPECT_EQ(message.parent_pid, 9);
  ASSERT_TRUE(Parse(Datagram({0x80000000, 0, 1, {11, 11, 256, 17}}), &message));  // before Linux 4.18
  EXPECT_EQ(message.parent_pid, -1);
}

TEST(ConnectorMessage, Acknowledgement) {
  ConnectorMessage message;
  ASSERT_TRUE(Parse(Datagram({0, 0, 1, {1}}), &message));
  EXPECT_EQ(message.kind, ConnectorMessage::kAcknowledged);
  EXPECT_EQ(message.error, 1u);
}

TEST(ConnectorMessage, OtherEventsCountToo) {
  ConnectorMessage message;
  ASSERT_TRUE(Parse(Datagram({0x40, 5, 1, {11, 11, 0, 0}}), &message));
  EXPECT_EQ(message.kind, ConnectorMessage::kOther);
  EXPECT_EQ(message.cpu, 5u);
}

TEST(ConnectorMessage, RefusesWhatTheKernelWouldNotSend) {
  ConnectorMessage message;
  std::string sound = Datagram({1, 0, 1, {10, 10, 11, 11}});
  for (size_t size = 0; size < sound.size(); size++) EXPECT_FALSE(Parse(sound.substr(0, size), &message));
  EXPECT_FALSE(Parse(Datagram({1, 0, 1, {10, 10, 11}}), &message));
  EXPECT_FALSE(Parse(Datagram({1, 0, 1, {10, 10, 0, 11}}), &message));
  EXPECT_FALSE(Parse(Datagram({2, 0, 1, {11, static_cast<uint32_t>(-1)}}), &message));
  sound[NLMSG_HDRLEN] = 9;  // another connector
  EXPECT_FALSE(Parse(sound, &message));
}

TEST(ConnectorMessage, WritesTheRequest) {
  char buffer[kConnectorRequestBytes];
  WriteConnectorRequest(true, buffer);
  nlmsghdr header;
  memcpy(&header, buffer, sizeof(header));
  EXPECT_EQ(header.nlmsg_len, sizeof(buffer));
  EXPECT_EQ(buffer[sizeof(buffer) - 4], 1);
  WriteConnectorRequest(false, buffer);
  EXPECT_EQ(buffer[sizeof(buffer) - 4], 2);
}

TEST(MessageCounts, FindsGapsOfEachProcessor) {
  MessageCounts counts;
  EXPECT_EQ(counts.MissingBefore(0, 100), 0u);
  EXPECT_EQ(counts.MissingBefore(1, 7), 0u);
  EXPECT_EQ(counts.MissingBefore(0, 101), 0u);
  EXPECT_EQ(counts.MissingBefore(1, 11), 3u);
  EXPECT_EQ(counts.MissingBefore(0, 103), 1u);
  EXPECT_EQ(counts.MissingBefore(2, 0xffffffff), 0u);
  EXPECT_EQ(counts.MissingBefore(2, 1), 1u);  // it wraps
  EXPECT_EQ(counts.MissingBefore(0xffffffff, 1), 0u);
}

}  // namespace
}  // namespace procmuster
