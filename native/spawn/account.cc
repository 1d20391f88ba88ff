#include "spawn/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include <functional>

namespace procmuster {
namespace {

constexpr size_t kMaxBuffer = 1 << 24;

// getpwnam(3) and its kin: ERANGE asks for a larger buffer, and of "not found" there are several spellings.
template <typename Entry>
int Ask(const std::function<int(Entry*, char*, size_t, Entry**)>& ask,
        const std::function<void(const Entry&)>& take) {
  std::vector<char> buffer(4096);
  for (;;) {
    Entry entry;
    Entry* found = nullptr;
    int error = ask(&entry, buffer.data(), buffer.size(), &found);
    if (found != nullptr) {
      take(*found);
      return 0;
    }
    if (error == EINTR) continue;
    if (error == ERANGE && buffer.size() < kMaxBuffer) {
      buffer.resize(buffer.size() * 4);
      continue;
    }
    bool none = error == 0 || error == ESRCH || error == EBADF || error == EPERM;
    return none ? ENOENT : error;
  }
}

void TakeUser(const struct passwd& entry, Account* account) {
  account->name = entry.pw_name;
  account->home = entry.pw_dir;
  account->shell = entry.pw_shell;
  account->uid = entry.pw_uid;
  account->gid = entry.pw_gid;
  int count = 64;
  do {
    account->groups.resize(static_cast<size_t>(count));
  } while (getgrouplist(entry.pw_name, entry.pw_gid, account->groups.data(), &count) < 0);
  account->groups.resize(static_cast<size_t>(count));
}

}  // namespace

int FindUser(const std::string& name, Account* account) {
  return Ask<struct passwd>([&](auto* entry, char* text, size_t size,
                                auto** found) { return getpwnam_r(name.c_str(), entry, text, size, found); },
                            [&](const struct passwd& entry) { TakeUser(entry, account); });
}

int FindUser(uid_t uid, Account* account) {
  return Ask<struct passwd>([&](auto* entry, char* text, size_t size,
                                auto** found) { return getpwuid_r(uid, entry, text, size, found); },
                            [&](const struct passwd& entry) { TakeUser(entry, account); });
}

int FindGroup(const std::string& name, gid_t* gid) {
  return Ask<struct group>([&](auto* entry, char* text, size_t size,
                               auto** found) { return getgrnam_r(name.c_str(), entry, text, size, found); },
                           [&](const struct group& entry) { *gid = entry.gr_gid; });
}

}  // namespace procmuster
