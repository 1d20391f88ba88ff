#include "spawn/account_binding.h"

#include <errno.h>

#include <algorithm>
#include <string>

#include "control/deferred_worker_binding.h"
#include "spawn/account.h"

namespace procmuster {
namespace {

// findUser(name, uid or -1, out: Float64Array(4), groups: Uint32Array, text: Uint8Array): errno, uid, gid and
// number of groups; the text is name, home and shell, a zero byte after each.
Napi::Value FindUserOf(const Napi::CallbackInfo& info) {
  std::string name = info[0].As<Napi::String>();
  double uid = info[1].As<Napi::Number>().DoubleValue();
  double* out = info[2].As<Napi::Float64Array>().Data();
  Napi::Uint32Array groups = info[3].As<Napi::Uint32Array>();
  Napi::Uint8Array text = info[4].As<Napi::Uint8Array>();
  uint32_t* to_groups = groups.Data();
  size_t most_groups = groups.ElementLength();
  uint8_t* to_text = text.Data();
  size_t text_size = text.ByteLength();
  return DeferredWorker::Start(info, {info[2], info[3], info[4]}, [=] {
    Account account;
    int error = uid < 0 ? FindUser(name, &account) : FindUser(static_cast<uid_t>(uid), &account);
    std::string strings;
    for (const std::string* each : {&account.name, &account.home, &account.shell}) {
      strings.append(*each).push_back('\0');
    }
    if (error == 0 && (account.groups.size() > most_groups || strings.size() > text_size)) error = ERANGE;
    out[0] = error;
    if (error != 0) return;
    out[1] = account.uid;
    out[2] = account.gid;
    out[3] = static_cast<double>(account.groups.size());
    std::copy(account.groups.begin(), account.groups.end(), to_groups);
    std::copy(strings.begin(), strings.end(), to_text);
  });
}

// findGroup(name, out: Float64Array(2)): errno and gid.
Napi::Value FindGroupOf(const Napi::CallbackInfo& info) {
  std::string name = info[0].As<Napi::String>();
  double* out = info[1].As<Napi::Float64Array>().Data();
  return DeferredWorker::Start(info, {info[1]}, [=] {
    gid_t gid = 0;
    out[0] = FindGroup(name, &gid);
    out[1] = gid;
  });
}

}  // namespace

void RegisterAccounts(Napi::Env env, Napi::Object spawn) {
  spawn["findUser"] = Napi::Function::New(env, FindUserOf, "findUser");
  spawn["findGroup"] = Napi::Function::New(env, FindGroupOf, "findGroup");
}

}  // namespace procmuster
