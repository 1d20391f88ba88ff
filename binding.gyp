{
  "targets": [
    {
      "target_name": "procmuster",
      "sources": ["<!@(grep -v '^#' native/sources.txt)"],
      "include_dirs": ["native", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": [
        "NAPI_VERSION=8",
        "NAPI_DISABLE_CPP_EXCEPTIONS",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
      ],
      "cflags": ["-Wall", "-Wextra", "-Wno-unused-parameter", "-O2", "-fvisibility=hidden"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++14", "-fno-rtti"],
      "cflags_cc": ["-std=c++20", "-fno-exceptions"],
    }
  ]
}
