// Reading below an open directory of a process: whatever becomes of its pid, it stays that process's.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/unique_fd.h"

namespace procmuster {

// Each gives an errno, 0 for success.

// ESRCH when there is no such process.
int OpenProcessDir(const std::string& proc_root, int pid, UniqueFd* directory);
// The directory of whoever still has memory and files: the process's own, or, once its first thread has ended
// before others, one of theirs.
int OpenLivingDir(int process_dir, UniqueFd* directory);
int ReadLink(int directory, const char* name, std::string* target);
// Calls `take` with the text piece by piece.
int ReadPieces(int directory, const char* name, const std::function<void(std::string_view)>& take);
// Appends at most `max_bytes`.
int ReadText(int directory, const char* name, size_t max_bytes, std::string* text);
// Calls `take` with every name but those that begin with a dot, and the open directory.
int ForEachEntry(int directory, const char* name, const std::function<void(int, const char*)>& take);
// Control characters and backslashes become \xNN.
void AppendEscaped(std::string_view text, std::string* out);

}  // namespace procmuster
