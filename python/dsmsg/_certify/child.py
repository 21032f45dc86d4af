# SPDX-License-Identifier: Apache-2.0
"""The process that forks for each check. It never loads the library, and has one thread.

    python -m dsmsg._certify.child FD

reads plans from the socket FD, one after the other, and tells of each how its process ended.
"""

from __future__ import annotations

import mmap
import os
import resource
import signal
import socket
import sys
import traceback
from typing import Any, NoReturn

from dsmsg._certify.checks_sending import contact
from dsmsg._certify.host import Check, Failed, NotApplicable, NotTested
from dsmsg._certify.requirements import CONTACT, all_requirements
from dsmsg._certify.wire import Packets

__all__ = ["main"]

_STATES = {Failed: "fail", NotApplicable: "n/a", NotTested: "not tested"}


def main(descriptor: int) -> None:
    """Serves until the other side closes."""
    packets = Packets(socket.socket(fileno=descriptor))
    functions = {name: each.check for name, each in all_requirements().items()}
    functions[CONTACT] = contact
    during = mmap.mmap(-1, 256)

    def note(text: str) -> None:
        # The whole page at once: a reader after a crash must not find half a name of two.
        during[:] = text.encode()[:255].ljust(256, b"\0")

    while True:
        try:
            plan = packets.receive()
        except EOFError:
            return
        note("")
        pid = os.fork()
        if pid == 0:
            _run(functions[plan["id"]], plan, packets, note)
        packets.send({"pid": pid})
        _, status = os.waitpid(pid, 0)
        text = bytes(during[:]).rstrip(b"\0").decode("utf-8", "replace")
        packets.send({"ended": os.waitstatus_to_exitcode(status), "during": text})


def _run(function: Any, plan: dict[str, Any], packets: Packets, note: Any) -> NoReturn:  # noqa: ANN401
    """In the child: makes the check and ends, without a disconnect that it did not ask for."""
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as hosts leave it
        log = os.open(plan["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for standard in (1, 2):
            os.dup2(log, standard)
        os.close(log)
        check = Check(plan, packets, note)
        result = {"state": "pass", "text": function(check) or ""}
    except tuple(_STATES) as said:
        result = {"state": _STATES[type(said)], "text": str(said)}
    except BaseException:  # ours, not the library's
        result = {"state": "error", "text": traceback.format_exc()}
    packets.end(result)


if __name__ == "__main__":
    main(int(sys.argv[1]))
