// Reads what a MemoryMap is made of. Takes the process's mmap_lock.
#pragma once

#include <string>

namespace procmuster {

// `file` is smaps or maps. An errno, 0 for success; *encoded is then as of MemoryMap::Encode.
int ReadMemoryMap(int process_dir, const char* file, std::string* encoded);

}  // namespace procmuster
