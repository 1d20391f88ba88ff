// A thread that its owner joins. std::thread throws where none can be started, which would end the process.
#pragma once

#include <pthread.h>

namespace procmuster {

class JoinableThread {
 public:
  JoinableThread() = default;
  JoinableThread(const JoinableThread&) = delete;
  JoinableThread& operator=(const JoinableThread&) = delete;

  // Runs a member function of an object that outlives it. An errno, 0 for success.
  template <auto Main, typename Object>
  int Start(Object* object) {
    auto run = [](void* argument) -> void* {
      (static_cast<Object*>(argument)->*Main)();
      return nullptr;
    };
    int error = pthread_create(&thread_, nullptr, run, object);
    joinable_ = error == 0;
    return error;
  }
  bool joinable() const { return joinable_; }
  void join() {
    pthread_join(thread_, nullptr);
    joinable_ = false;
  }

 private:
  pthread_t thread_ = {};
  bool joinable_ = false;
};

}  // namespace procmuster
