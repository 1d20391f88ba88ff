// Which unix sockets are connected with each other: sock_diag(7), the only place where the kernel tells it.
#pragma once

#include <cstddef>
#include <string>

namespace procmuster {

// Appends a line "inode peer" for each connected unix socket of the network namespace that the process is in.
// An errno, 0 for success: EPERM where that is another namespace than ours and we may not enter it, ENOENT
// where the kernel has no unix_diag.
int ReadUnixPeers(int process_dir, std::string* lines);

// Appends the lines of the answers in a buffer of netlink messages. `done`: the last one was among them.
int ParseUnixPeers(const void* data, size_t size, bool* done, std::string* lines);

}  // namespace procmuster
