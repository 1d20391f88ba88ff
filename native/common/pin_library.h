// Keeps this library mapped for good, for threads that may outlive the environment whose end unloads it.
#pragma once

namespace procmuster {

void PinLibrary();

}  // namespace procmuster
