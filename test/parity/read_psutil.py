# read_psutil.py PID...: what psutil says of each process, as JSON; names as hexadecimal bytes.
import json
import os
import sys

import psutil

result = {}
for pid in map(int, sys.argv[1:]):
    process = psutil.Process(pid)
    with process.oneshot():
        memory = process.memory_info()
        times = process.cpu_times()
        result[pid] = {
            "ppid": process.ppid(),
            "name": os.fsencode(process.name()).hex(),
            "state": process.status(),
            "rss": memory.rss,
            "vsz": memory.vms,
            "shared": memory.shared,
            "text": memory.text,
            "data": memory.data,
            "threads": process.num_threads(),
            "user": times.user,
            "system": times.system,
            "start": process.create_time(),
            "nice": process.nice(),
            "uid": process.uids().effective,
        }
print(json.dumps(result))
