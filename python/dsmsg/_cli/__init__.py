# SPDX-License-Identifier: Apache-2.0
"""The command `dsmsg`: `app` puts it together, each other module without `_` is a command.

Only the command imports this package, because typer and rich take longer to import than all of
`import dsmsg`. A command is a function that returns the exit code (None: 0); what it raises becomes
one line on standard error (`app.run`).

Threads: the main thread.
"""
