// The open descriptors of a process, with what tells their kinds apart.
#pragma once

#include <string>

namespace procmuster {

// Appends lines "fd flags position mode device inode rdevice size links target": flags in octal and position
// as fdinfo has them, mode in octal, "?" for each that cannot be read; target escaped. An errno, 0 for
// success.
int ReadDescriptors(int process_dir, std::string* lines);

}  // namespace procmuster
