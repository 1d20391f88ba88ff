#include "common/pin_library.h"

#include <dlfcn.h>

namespace procmuster {

void PinLibrary() {
  static const void* pinned = [] {
    Dl_info info;
    if (dladdr(reinterpret_cast<void*>(&PinLibrary), &info) == 0) return static_cast<void*>(nullptr);
    return dlopen(info.dli_fname, RTLD_NOLOAD | RTLD_NODELETE | RTLD_LAZY);
  }();
  (void)pinned;
}

}  // namespace procmuster
