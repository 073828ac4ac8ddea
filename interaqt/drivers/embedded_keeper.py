"""The keeper of an embedded server: a process that starts it, and stops it when nobody uses it any more.

It is run as a program, with nothing but the standard library. Who uses the server holds a shared
lock on a file; the operating system lets go of it when a process ends, however it ends. So the
moment at which the keeper gets that lock for itself is the moment to stop.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from typing import Any

__all__ = ["keep"]

_PR_SET_PDEATHSIG = 1


def keep(task: dict[str, Any]) -> None:
    """Run the server until nobody holds the lock; answers at once, and goes on in a process of its own."""
    keeping = os.open(task["keeping"], os.O_RDWR)
    fcntl.flock(keeping, fcntl.LOCK_EX)  # as long as this process, and the server, live
    if os.fork():
        os._exit(0)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a terminal that is closed is none of its business
    with open(task["log"], "ab") as log:
        server = subprocess.Popen(
            task["command"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=task["environment"],
            preexec_fn=_die_with_keeper if sys.platform == "linux" else None,
            **task["identity"],
        )
    signal.signal(signal.SIGTERM, lambda number, frame: server.send_signal(signal.SIGINT))

    unused: list[int] = []

    def stop() -> None:
        users = os.open(task["users"], os.O_RDWR)
        fcntl.flock(users, fcntl.LOCK_EX)  # who comes now waits, and starts another one
        unused.append(users)
        server.send_signal(signal.SIGINT)  # ends what is under way, and leaves the files in order

    threading.Thread(target=stop, daemon=True).start()
    server.wait()
    if unused and task["temporary"]:
        shutil.rmtree(task["directory"], ignore_errors=True)


def _die_with_keeper() -> None:
    # Nobody else would ever stop it. Ignored signals are inherited, and the server wants its own.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


if __name__ == "__main__":
    keep(json.loads(sys.argv[1]))
