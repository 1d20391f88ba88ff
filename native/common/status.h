// The outcome of a call that can fail in the kernel: errno, what was tried, and on what.
#pragma once

#include <string>
#include <utility>

namespace procmuster {

struct Status {
  int error = 0;          // errno, 0 for success
  const char* what = "";  // the call or step that failed, a literal
  std::string where;      // path or target

  bool ok() const { return error == 0; }
  static Status Ok() { return {}; }
  static Status Fail(int error, const char* what, std::string where = {}) {
    return {error, what, std::move(where)};
  }
};

}  // namespace procmuster
