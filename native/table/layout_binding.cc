#include "table/layout_binding.h"

#include "table/layout.h"

namespace procmuster {

// addon.layout: what src/table/columns.ts is generated from and checked against.
void RegisterLayout(Napi::Env env, Napi::Object exports) {
  Napi::Array columns = Napi::Array::New(env);
  auto add = [&](const char* name, const char* type, const char* unit, const char* group,
                 const char* description) {
    Napi::Object column = Napi::Object::New(env);
    column.Set("name", name);
    column.Set("type", type);
    column.Set("unit", unit);
    column.Set("group", group);
    column.Set("description", description);
    columns.Set(columns.Length(), column);
  };
#define PROCMUSTER_ADD(name, type, unit, group, description) add(#name, #type, unit, #group, description);
  PROCMUSTER_COLUMNS(PROCMUSTER_ADD)
#undef PROCMUSTER_ADD

  Napi::Array header = Napi::Array::New(env);
#define PROCMUSTER_ADD(name) header.Set(header.Length(), Napi::String::New(env, #name));
  PROCMUSTER_HEADER(PROCMUSTER_ADD)
#undef PROCMUSTER_ADD

  Napi::Object layout = Napi::Object::New(env);
  layout.Set("columns", columns);
  layout.Set("header", header);
  layout.Set("nameBytes", kNameBytes);
  layout.Set("missingWords", kMissingWords);
  exports.Set("layout", layout);
}

}  // namespace procmuster
