#include "inspect/unix_peers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/unique_fd.h"

namespace procmuster {
namespace {

constexpr size_t kBufferBytes = 64 * 1024;

int OpenDiagnostics(UniqueFd* fd) {
  fd->reset(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  return fd->valid() ? 0 : errno;
}

struct Entrance {
  int network_namespace = -1;
  UniqueFd* diagnostics = nullptr;
  int error = 0;
};

void* Enter(void* argument) {
  auto* entrance = static_cast<Entrance*>(argument);
  entrance->error =
      setns(entrance->network_namespace, CLONE_NEWNET) != 0 ? errno : OpenDiagnostics(entrance->diagnostics);
  return nullptr;
}

// A socket stays in the namespace that it was made in; the thread that enters it ends with that.
int OpenDiagnosticsOf(int process_dir, UniqueFd* fd) {
  UniqueFd theirs(openat(process_dir, "ns/net", O_RDONLY | O_CLOEXEC));
  if (!theirs.valid()) return errno;
  struct stat their_stat;
  struct stat own_stat;
  if (fstat(theirs.get(), &their_stat) != 0 || stat("/proc/self/ns/net", &own_stat) != 0) return errno;
  bool is_ours = their_stat.st_dev == own_stat.st_dev && their_stat.st_ino == own_stat.st_ino;
  if (is_ours) return OpenDiagnostics(fd);
  Entrance entrance{theirs.get(), fd};
  pthread_t thread;
  if (int error = pthread_create(&thread, nullptr, Enter, &entrance)) return error;
  pthread_join(thread, nullptr);
  return entrance.error;
}

int AskForPeers(int fd) {
  struct {
    nlmsghdr header;
    unix_diag_req request;
  } message = {};
  message.header.nlmsg_len = sizeof(message);
  message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message.request.sdiag_family = AF_UNIX;
  message.request.udiag_states = ~0U;
  message.request.udiag_show = UDIAG_SHOW_PEER;
  return send(fd, &message, sizeof(message), 0) < 0 ? errno : 0;
}

// 0 when the socket has no peer.
uint32_t PeerOf(const char* attributes, size_t size) {
  while (size >= sizeof(rtattr)) {
    rtattr attribute;
    memcpy(&attribute, attributes, sizeof(attribute));
    if (attribute.rta_len < sizeof(rtattr) || attribute.rta_len > size) return 0;
    uint32_t peer = 0;
    if (attribute.rta_type == UNIX_DIAG_PEER && attribute.rta_len >= RTA_LENGTH(sizeof(peer))) {
      memcpy(&peer, attributes + RTA_LENGTH(0), sizeof(peer));
      return peer;
    }
    size_t step = RTA_ALIGN(attribute.rta_len);
    if (step > size) return 0;
    attributes += step;
    size -= step;
  }
  return 0;
}

}  // namespace

int ParseUnixPeers(const void* data, size_t size, bool* done, std::string* lines) {
  const char* at = static_cast<const char*>(data);
  while (size >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    memcpy(&header, at, sizeof(header));
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > size) return EBADMSG;
    const char* body = at + NLMSG_HDRLEN;
    size_t body_size = header.nlmsg_len - NLMSG_HDRLEN;
    if (header.nlmsg_type == NLMSG_DONE) {
      *done = true;
      return 0;
    }
    if (header.nlmsg_type == NLMSG_ERROR) {
      nlmsgerr failure;
      if (body_size < sizeof(failure)) return EBADMSG;
      memcpy(&failure, body, sizeof(failure));
      return failure.error < 0 && failure.error > -4096 ? -failure.error : EBADMSG;
    }
    if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY && body_size >= sizeof(unix_diag_msg)) {
      unix_diag_msg socket;
      memcpy(&socket, body, sizeof(socket));
      constexpr size_t kAttributes = NLMSG_ALIGN(sizeof(socket));
      uint32_t peer = body_size > kAttributes ? PeerOf(body + kAttributes, body_size - kAttributes) : 0;
      if (peer != 0) *lines += std::to_string(socket.udiag_ino) + " " + std::to_string(peer) + "\n";
    }
    size_t step = NLMSG_ALIGN(header.nlmsg_len);
    if (step >= size) return 0;
    at += step;
    size -= step;
  }
  return 0;
}

int ReadUnixPeers(int process_dir, std::string* lines) {
  UniqueFd fd;
  if (int error = OpenDiagnosticsOf(process_dir, &fd)) return error;
  if (int error = AskForPeers(fd.get())) return error;
  std::string buffer(kBufferBytes, '\0');
  for (bool done = false; !done;) {
    ssize_t size = recv(fd.get(), buffer.data(), buffer.size(), MSG_TRUNC);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno;
    if (static_cast<size_t>(size) > buffer.size() || size == 0) return EBADMSG;
    if (int error = ParseUnixPeers(buffer.data(), static_cast<size_t>(size), &done, lines)) return error;
  }
  return 0;
}

}  // namespace procmuster
