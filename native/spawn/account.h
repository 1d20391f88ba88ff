// Users and groups by name or number, as the host's name services know them.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace procmuster {

struct Account {
  std::string name;
  std::string home;
  std::string shell;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // its supplementary groups, with `gid`
};

// These may ask a server and take long. An errno; ENOENT when there is none.
int FindUser(const std::string& name, Account* account);
int FindUser(uid_t uid, Account* account);
int FindGroup(const std::string& name, gid_t* gid);

}  // namespace procmuster
