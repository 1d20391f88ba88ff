// Which file it is, whatever its path.
#pragma once

namespace procmuster {

// As JavaScript has them: overlay and network file systems have inode numbers beyond 2^53, which it rounds.
struct FileIdentity {
  double device = 0;
  double inode = 0;
};

}  // namespace procmuster
