// The threads of a process, one after the other.
#pragma once

#include <string>

namespace procmuster {

// Appends for each thread the texts of its files stat, schedstat, wchan and, when asked for, syscall and
// stack, each ended by a zero byte and empty where it cannot be read. An errno, 0 for success.
int ReadThreads(int process_dir, bool stacks, std::string* texts);

}  // namespace procmuster
