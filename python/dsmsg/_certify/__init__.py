# SPDX-License-Identifier: Apache-2.0
"""`dsmsg certify`: holds any library with the functions of `nvds_msgapi.h` to the contract.

Each requirement is checked in a process of its own, a child of a process that never loads the
library. So a library that crashes, hangs or ends the process fails that requirement, by name, and
no other one. From outside to inside:

    run.py            which checks run, how many at a time, what becomes of each
    rig.py            the server, the proxy in front of it, and the reader behind it
    child.py          the process that forks for each check
    requirements.py   the table: `@requirement` above the function that checks it
    checks_*.py       these functions
    host.py           what they use: the library, its calls and callbacks, and the books of both
    report.py         the table on the terminal, certify.json and certify.md

Threads: `run.py` says which. A check runs on the main thread of its process.
"""
