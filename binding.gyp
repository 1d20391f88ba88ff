{
  # 1 with the kernel programs of native/**/*.bpf.c, 0 without.
  "variables": {"bpf": "<!(node scripts/bpf.mjs)"},
  "targets": [
    {
      "target_name": "procmuster",
      "sources": ["<!@(grep -v '^#' native/sources.txt)"],
      "include_dirs": ["native", "native/bpf/skeleton", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": [
        "PROCMUSTER_BPF=<(bpf)",
        "NAPI_VERSION=8",
        "NAPI_DISABLE_CPP_EXCEPTIONS",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
      ],
      "cflags": ["-Wall", "-Wextra", "-Wno-unused-parameter", "-O2", "-fvisibility=hidden"],
      "cflags_c": ["-std=gnu11"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++14", "-fno-rtti"],
      "cflags_cc": ["-std=c++20", "-fno-exceptions"],
    },
    {
      # Stays with a job until that has ended; src/spawn/keep_exit.ts executes it.
      "target_name": "muster-keeper",
      "type": "executable",
      "sources": ["native/keeper/exit_keeper.c"],
      "cflags": ["-Wall", "-Wextra", "-O2"],
      "cflags_c": ["-std=gnu11"],
    },
  ]
}
