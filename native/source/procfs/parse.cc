#include "source/procfs/parse.h"

#include <cstring>
#include <iterator>
#include <limits>

namespace procmuster {
namespace {

// Reads decimal numbers one after the other; any misstep sticks.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  bool ok() const { return ok_; }

  uint64_t Unsigned() {
    SkipBlanks();
    if (at_ == end_ || *at_ < '0' || *at_ > '9') return Fail();
    uint64_t value = 0;
    for (; at_ < end_ && *at_ >= '0' && *at_ <= '9'; at_++) {
      uint64_t digit = static_cast<uint64_t>(*at_ - '0');
      if (value > (std::numeric_limits<uint64_t>::max() - digit) / 10) return Fail();
      value = value * 10 + digit;
    }
    return value;
  }

  int32_t Int32() {
    SkipBlanks();
    bool negative = at_ < end_ && *at_ == '-';
    if (negative) at_++;
    uint64_t value = Unsigned();
    if (value > static_cast<uint64_t>(std::numeric_limits<int32_t>::max()))
      return static_cast<int32_t>(Fail());
    return negative ? -static_cast<int32_t>(value) : static_cast<int32_t>(value);
  }

  uint32_t Uint32() {
    uint64_t value = Unsigned();
    if (value > std::numeric_limits<uint32_t>::max()) Fail();
    return static_cast<uint32_t>(value);
  }

  // Steps over `count` numbers without reading them.
  void Skip(int count) {
    for (; count > 0; count--) {
      SkipBlanks();
      if (at_ == end_ || *at_ == '\n') {
        Fail();
        return;
      }
      while (at_ < end_ && *at_ != ' ' && *at_ != '\n') at_++;
    }
  }

 private:
  void SkipBlanks() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\t')) at_++;
  }

  uint64_t Fail() {
    ok_ = false;
    return 0;
  }

  const char* at_;
  const char* end_;
  bool ok_ = true;
};

// Splits "key: value\n" lines; values keep their leading blanks.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  bool Next(std::string_view* key, std::string_view* value) {
    while (!rest_.empty()) {
      size_t end = rest_.find('\n');
      std::string_view line = rest_.substr(0, end);
      rest_ = end == std::string_view::npos ? std::string_view{} : rest_.substr(end + 1);
      size_t colon = line.find(':');
      if (colon == std::string_view::npos) continue;
      *key = line.substr(0, colon);
      *value = line.substr(colon + 1);
      return true;
    }
    return false;
  }

 private:
  std::string_view rest_;
};

bool ReadIds(std::string_view value, uint32_t ids[4]) {
  Cursor cursor(value);
  for (int i = 0; i < 4; i++) ids[i] = cursor.Uint32();
  return cursor.ok();
}

bool ReadNumber(std::string_view value, uint64_t* out) {
  Cursor cursor(value);
  *out = cursor.Unsigned();
  return cursor.ok();
}

struct NumberField {
  std::string_view key;
  uint64_t* value;
};

// Reads `value` into the field of that key; false only for a malformed number.
bool ReadField(std::string_view key, std::string_view value, const NumberField* fields, size_t count,
               uint32_t* seen) {
  for (size_t i = 0; i < count; i++) {
    if (key != fields[i].key) continue;
    if (!ReadNumber(value, fields[i].value)) return false;
    *seen |= 1u << i;
    return true;
  }
  return true;
}

}  // namespace

// 4242 (a name) b) S 1 4242 4242 0 -1 4194560 ...: the name ends at the last parenthesis of the line, because
// it may hold parentheses, spaces and newlines itself, and no later field holds one.
bool ParseStat(std::string_view text, StatFields* out) {
  size_t open = text.find('(');
  size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return false;
  Cursor head(text.substr(0, open));
  out->pid = head.Int32();
  out->comm = text.substr(open + 1, close - open - 1);
  // ") S "
  if (!head.ok() || close + 3 >= text.size() || text[close + 1] != ' ' || text[close + 3] != ' ')
    return false;
  out->state = text[close + 2];

  Cursor fields(text.substr(close + 4));
  out->ppid = fields.Int32();
  out->pgid = fields.Int32();
  out->sid = fields.Int32();
  out->tty_nr = fields.Int32();
  out->tpgid = fields.Int32();
  out->flags = fields.Uint32();
  out->minor_faults = fields.Unsigned();
  fields.Skip(1);  // 11 cminflt
  out->major_faults = fields.Unsigned();
  fields.Skip(1);  // 13 cmajflt
  out->user_ticks = fields.Unsigned();
  out->system_ticks = fields.Unsigned();
  fields.Skip(2);  // 16 cutime, 17 cstime
  out->priority = fields.Int32();
  out->nice = fields.Int32();
  out->threads = fields.Int32();
  fields.Skip(1);  // 21 itrealvalue
  out->start_ticks = fields.Unsigned();
  out->vsz_bytes = fields.Unsigned();
  out->rss_pages = fields.Unsigned();
  fields.Skip(3);  // 25 rsslim, 26 startcode, 27 endcode
  out->start_stack = fields.Unsigned();
  fields.Skip(10);  // 29 kstkesp to 38 exit_signal
  out->processor = fields.Int32();
  out->rt_priority = fields.Int32();
  out->sched_policy = fields.Int32();
  return fields.ok();
}

bool ParseStatm(std::string_view text, StatmFields* out) {
  Cursor fields(text);
  out->size = fields.Unsigned();
  out->resident = fields.Unsigned();
  out->shared = fields.Unsigned();
  out->text = fields.Unsigned();
  fields.Skip(1);  // lib, always 0
  out->data = fields.Unsigned();
  return fields.ok();
}

bool ParseStatus(std::string_view text, StatusFields* out) {
  std::memset(out, 0, sizeof *out);
  const NumberField memory[] = {
      {"VmHWM", &out->peak_rss_kb},   {"VmLck", &out->locked_kb},       {"RssAnon", &out->rss_anon_kb},
      {"RssFile", &out->rss_file_kb}, {"RssShmem", &out->rss_shmem_kb}, {"VmSwap", &out->swap_kb},
  };
  const NumberField switches[] = {
      {"voluntary_ctxt_switches", &out->voluntary_switches},
      {"nonvoluntary_ctxt_switches", &out->involuntary_switches},
  };
  uint32_t memory_seen = 0, switches_seen = 0;
  bool uid_seen = false, gid_seen = false;
  std::string_view key, value;
  // The kernel escapes the name here (a newline is two characters), so that lines are lines.
  for (Lines lines(text); lines.Next(&key, &value);) {
    if (key == "Uid") {
      if (!ReadIds(value, out->uid)) return false;
      uid_seen = true;
    } else if (key == "Gid") {
      if (!ReadIds(value, out->gid)) return false;
      gid_seen = true;
    } else if (key.starts_with("Vm") || key.starts_with("Rss")) {
      if (!ReadField(key, value, memory, std::size(memory), &memory_seen)) return false;
    } else if (key.ends_with("ctxt_switches")) {
      if (!ReadField(key, value, switches, std::size(switches), &switches_seen)) return false;
    }
  }
  out->has_memory = memory_seen == (1u << std::size(memory)) - 1;
  out->has_switches = switches_seen == (1u << std::size(switches)) - 1;
  return uid_seen && gid_seen;
}

bool ParseIo(std::string_view text, IoFields* out) {
  std::memset(out, 0, sizeof *out);
  const NumberField wanted[] = {
      {"rchar", &out->rchar},
      {"wchar", &out->wchar},
      {"read_bytes", &out->read_bytes},
      {"write_bytes", &out->write_bytes},
  };
  uint32_t seen = 0;
  std::string_view key, value;
  for (Lines lines(text); lines.Next(&key, &value);) {
    if (!ReadField(key, value, wanted, std::size(wanted), &seen)) return false;
  }
  return seen == (1u << std::size(wanted)) - 1;
}

bool ParseOomScoreAdj(std::string_view text, int32_t* out) {
  Cursor cursor(text);
  *out = cursor.Int32();
  return cursor.ok();
}

uint64_t ParseMemTotal(std::string_view text) {
  std::string_view key, value;
  uint64_t kilobytes = 0;
  for (Lines lines(text); lines.Next(&key, &value);) {
    if (key == "MemTotal") return ReadNumber(value, &kilobytes) ? kilobytes * 1024 : 0;
  }
  return 0;
}

}  // namespace procmuster
