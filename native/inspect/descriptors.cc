#include "inspect/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include <algorithm>
#include <string_view>

#include "inspect/process_dir.h"

namespace procmuster {
namespace {

// What stands behind "key:" of fdinfo, "?" when it is not there.
std::string_view Value(std::string_view text, std::string_view key) {
  size_t at = text.find(key);
  if (at == std::string_view::npos) return "?";
  text.remove_prefix(at + key.size());
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text.substr(0, text.find('\n'));
}

}  // namespace

int ReadDescriptors(int process_dir, std::string* lines) {
  UniqueFd living;
  if (int error = OpenLivingDir(process_dir, &living)) return error;
  int denied = 0;
  int error = ForEachEntry(living.get(), "fd", [&](int directory, const char* number) {
    std::string target;
    if (int unread = ReadLink(directory, number, &target)) {
      // Closed since it was listed; or the numbers may be listed, and nothing else.
      if (unread == EACCES || unread == EPERM) denied = unread;
      if (unread != ENAMETOOLONG) return;
      target.assign(1, '?');
    }
    std::string info;
    ReadText(living.get(), (std::string("fdinfo/") + number).c_str(), 512, &info);
    lines->append(number).append(" ").append(Value(info, "flags:")).append(" ");
    lines->append(Value(info, "pos:"));
    struct statx facts;
    // Never asks a server that may be gone: what is known here has to do.
    if (statx(directory, number, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
              STATX_TYPE | STATX_MODE | STATX_INO | STATX_SIZE | STATX_NLINK, &facts) == 0) {
      char text[160];
      snprintf(text, sizeof(text), " %o %u:%u %llu %u:%u %llu %u ", facts.stx_mode, facts.stx_dev_major,
               facts.stx_dev_minor, static_cast<unsigned long long>(facts.stx_ino), facts.stx_rdev_major,
               facts.stx_rdev_minor, static_cast<unsigned long long>(facts.stx_size), facts.stx_nlink);
      lines->append(text);
    } else {
      lines->append(" ? ? ? ? ? ? ");
    }
    AppendEscaped(target, lines);
    lines->push_back('\n');
  });
  return error != 0 ? error : denied;
}

}  // namespace procmuster
