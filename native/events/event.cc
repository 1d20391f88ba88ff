#include "events/event.h"

#include <string.h>
#include <sys/wait.h>

namespace procmuster {

void WriteCells(const Event& event, double* cells) {
  cells[0] = event.type;
  cells[1] = event.pid;
  cells[2] = event.ppid;
  cells[3] = event.start_ticks;
  cells[4] = event.pidfs_inode;
  cells[5] = event.at_ms;
  cells[6] = event.lost;
  memcpy(cells + 7, event.name, sizeof(event.name));
  if (event.type != kEventExit && event.type != kEventSignal) return;
  cells[9] = event.signal;
  cells[10] = event.sender_pid;
  memcpy(cells + 11, event.sender_name, sizeof(event.sender_name));
  if (event.type != kEventExit) return;
  cells[13] = event.exit_code;
  cells[14] = event.core_dumped;
  cells[15] = event.oom_killed;
  cells[16] = event.cpu_ns;
  cells[17] = event.peak_rss_bytes;
  cells[18] = event.read_bytes;
  cells[19] = event.write_bytes;
  cells[20] = event.lifetime_ms;
}

void SetStatus(uint32_t status, Event* event) {
  int code = static_cast<int>(status);
  event->exit_code = WIFEXITED(code) ? WEXITSTATUS(code) : kUnknown;
  event->signal = WIFEXITED(code) ? kUnknown : status & 0x7f;
  event->core_dumped = WCOREDUMP(code) != 0;
}

}  // namespace procmuster
