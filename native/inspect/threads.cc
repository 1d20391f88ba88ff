#include "inspect/threads.h"

#include <fcntl.h>

#include "inspect/process_dir.h"

namespace procmuster {

int ReadThreads(int process_dir, bool stacks, std::string* texts) {
  return ForEachEntry(process_dir, "task", [&](int tasks, const char* tid) {
    UniqueFd task(openat(tasks, tid, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    std::string stat;
    // Ended since it was listed.
    if (!task.valid() || ReadText(task.get(), "stat", 2048, &stat) != 0 || stat.empty()) return;
    texts->append(stat).push_back(0);
    auto append = [&](const char* name, bool asked) {
      if (asked) ReadText(task.get(), name, 8192, texts);
      texts->push_back(0);
    };
    append("schedstat", true);
    append("wchan", true);
    append("syscall", stacks);
    append("stack", stacks);
  });
}

}  // namespace procmuster
