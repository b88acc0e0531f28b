"""Run the command on many files, each in a child of its own that can write no file and has little memory and time.

    python limited.py <jobs.json >answers.json

Jobs are lists of arguments. This process imports nopickle and nothing else, so that a child is as small as the command.
"""

import json
import os
import resource
import sys
import time

from nopickle import _rust

# What a child may have over what this process has, in bytes, and seconds of processor time.
MEMORY = 256 << 20
SECONDS = 5


def address_space():
    """Bytes of address space of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def answer(arguments, limit):
    """What the command prints for some arguments, and what it costs."""
    ours, theirs = os.pipe()
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        status = 99
        try:
            os.dup2(theirs, 1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            known = set(sys.modules)
            status = _rust.cli(arguments)
            if set(sys.modules) != known:
                status = 98
        finally:
            os._exit(status)
    os.close(theirs)
    with os.fdopen(ours, "rb") as out:
        printed = out.read()
    _, ended, usage = os.wait4(child, 0)
    return {
        "status": os.waitstatus_to_exitcode(ended),
        "printed": printed.decode("utf-8", "replace"),
        "seconds": usage.ru_utime + usage.ru_stime,
        "wall": time.perf_counter() - start,
        # Linux counts in KiB.
        "memory": usage.ru_maxrss << 10,
    }


def main():
    """Answer the jobs of stdin on stdout."""
    limit = address_space() + MEMORY
    jobs = json.load(sys.stdin)
    json.dump([answer(job, limit) for job in jobs], sys.stdout)


if __name__ == "__main__":
    main()
