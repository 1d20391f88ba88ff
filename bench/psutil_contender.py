# psutil_contender.py WARMUPS SAMPLES: psutil's process_iter over every process, as JSON.
import json
import sys
import time

import psutil

FIELDS = ["pid", "ppid", "name", "status", "cpu_times", "memory_info", "num_threads", "nice", "create_time", "uids"]


def sample():
    return [process.info for process in psutil.process_iter(FIELDS)]


warmups, count = int(sys.argv[1]), int(sys.argv[2])
for _ in range(warmups):
    sample()
samples = []
for _ in range(count):
    wall, cpu = time.perf_counter(), time.process_time()
    processes = len(sample())
    samples.append(
        {"wallMs": (time.perf_counter() - wall) * 1e3, "cpuMs": (time.process_time() - cpu) * 1e3}
    )
print(json.dumps({"samples": samples, "processes": processes}))
