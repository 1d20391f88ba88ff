#include "inspect/unix_peers.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <string>

#include "common/unique_fd.h"

namespace procmuster {
namespace {

template <typename T>
std::string Bytes(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::string Message(uint16_t type, const std::string& body) {
  nlmsghdr header = {};
  header.nlmsg_len = static_cast<uint32_t>(NLMSG_HDRLEN + body.size());
  header.nlmsg_type = type;
  return Bytes(header) + body + std::string(NLMSG_ALIGN(body.size()) - body.size(), '\0');
}

std::string Attribute(uint16_t type, const std::string& value) {
  rtattr attribute = {static_cast<uint16_t>(RTA_LENGTH(value.size())), type};
  return Bytes(attribute) + value + std::string(RTA_ALIGN(value.size()) - value.size(), '\0');
}

std::string Socket(uint32_t inode, const std::string& attributes) {
  unix_diag_msg socket = {};
  socket.udiag_family = AF_UNIX;
  socket.udiag_ino = inode;
  return Message(SOCK_DIAG_BY_FAMILY, Bytes(socket) + attributes);
}

std::string Parsed(const std::string& text, int expected_error = 0, bool expected_done = false) {
  std::string lines;
  bool done = false;
  EXPECT_EQ(ParseUnixPeers(text.data(), text.size(), &done, &lines), expected_error);
  EXPECT_EQ(done, expected_done);
  return lines;
}

TEST(UnixPeers, EachConnectedSocketIsALine) {
  std::string name = Attribute(UNIX_DIAG_NAME, "/run/x");
  std::string text = Socket(5, name + Attribute(UNIX_DIAG_PEER, Bytes(uint32_t{6}))) + Socket(7, name) +
                     Socket(6, Attribute(UNIX_DIAG_PEER, Bytes(uint32_t{5})));
  EXPECT_EQ(Parsed(text), "5 6\n6 5\n");
  EXPECT_EQ(Parsed(text + Message(NLMSG_DONE, Bytes(0)), 0, true), "5 6\n6 5\n");
}

TEST(UnixPeers, ARefusalIsItsErrno) {
  nlmsgerr refusal = {};
  refusal.error = -ENOENT;
  EXPECT_EQ(Parsed(Message(NLMSG_ERROR, Bytes(refusal)), ENOENT), "");
}

TEST(UnixPeers, WhatIsCutTellsNothing) {
  std::string whole = Socket(5, Attribute(UNIX_DIAG_PEER, Bytes(uint32_t{6})));
  for (size_t size = sizeof(nlmsghdr); size < whole.size(); size++)
    EXPECT_EQ(Parsed(whole.substr(0, size), EBADMSG), "") << size;
  for (size_t size = 0; size < sizeof(nlmsghdr); size++) EXPECT_EQ(Parsed(whole.substr(0, size)), "");
}

TEST(UnixPeers, AsTheKernelTells) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd one(ends[0]), other(ends[1]);
  struct stat one_stat, other_stat;
  ASSERT_EQ(fstat(one.get(), &one_stat), 0);
  ASSERT_EQ(fstat(other.get(), &other_stat), 0);
  UniqueFd self(open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::string lines;
  int error = ReadUnixPeers(self.get(), &lines);
  if (error == ENOENT) GTEST_SKIP() << "this kernel has no unix_diag";
  ASSERT_EQ(error, 0);
  std::string line = std::to_string(one_stat.st_ino) + " " + std::to_string(other_stat.st_ino) + "\n";
  EXPECT_NE(("\n" + lines).find("\n" + line), std::string::npos) << line;
}

}  // namespace
}  // namespace procmuster
