# SPDX-License-Identifier: Apache-2.0
"""Settings for `dsmsg sub`, which only watches and takes no message away from a running consumer.

The module named like the adaptor says how: it has `plan`, `GROUP_OPTION` (the option that names a
group; None without one), `HELP` and, where the adaptor has an option for it, `START` (the option
that says where to begin, its value for the oldest message, and what users may choose from). Adding
the file is enough.

Threads: pure functions; any thread.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

from dsmsg._looking._base import Look, dashed, settings_of

__all__ = ["HELP", "STARTS", "Look", "dashed", "look", "settings_of", "starting_at"]

_PLANS = {
    module.name: importlib.import_module(f"{__name__}.{module.name}")
    for module in pkgutil.iter_modules(__path__)
    if not module.name.startswith("_")
}
HELP = [f"{name}: {module.HELP}" for name, module in _PLANS.items()]
"""What users need to know about each adaptor, one line each."""
STARTS = [f"{name}: {plan.START[2]}" for name, plan in _PLANS.items() if hasattr(plan, "START")]
"""What `starting_at` takes, one line for each adaptor that has an option for it."""

_UNKNOWN = "third-party adaptor: it reads as its settings say, perhaps in a shared group"
_HUB = (
    "a hub ends an older connection of the same device or module: use an identity that no other "
    "program has"
)


def look(
    protocol: str,
    known: frozenset[str],
    topics: list[str],
    group: str | None,
    file: Mapping[str, str],
    options: Mapping[str, str],
) -> Look:
    """Says how to read alongside running consumers.

    Args:
        protocol: protocol name of the adaptor.
        known: names of its options; empty if it has no dsmsg_describe.
        topics: topics wanted.
        group: name of a group whose messages to share; None: a separate group.
        file: settings of the user's file, which other programs may share.
        options: settings of the command line. One that names a group is followed.

    Raises:
        ValueError: the protocol has no groups.
    """
    if group == "":
        raise ValueError("--group needs a name")
    plan = _PLANS.get(protocol.lower())
    if plan is None or not known:
        if group is not None:
            raise ValueError(
                f"--group is not supported for the {protocol} adaptor (set its own option)"
            )
        hub = _HUB if protocol.startswith("AZURE_") else ""
        return Look({}, topics, warning=hub if known else _UNKNOWN)
    chosen = {dashed(name): value for name, value in options.items()}
    if plan.GROUP_OPTION in chosen:
        if group is not None:
            raise ValueError(
                f"--group and -o {plan.GROUP_OPTION} mean the same: give only one of them"
            )
        return Look({}, topics)
    look: Look = plan.plan(topics, group, {**file, **chosen})
    return look


def starting_at(protocol: str, known: frozenset[str], start: str) -> dict[str, str]:
    """Says how to begin elsewhere.

    Args:
        protocol: protocol name of the adaptor.
        known: names of its options.
        start: value of the adaptor's option; "": the one for the oldest message.

    Raises:
        ValueError: the adaptor has no option for it.
    """
    option, oldest, _ = getattr(_PLANS.get(protocol.lower()), "START", ("", "", ""))
    if option not in known:
        raise ValueError(
            f"--from-beginning and --offset are not supported for the {protocol} adaptor: it has "
            "no option that says where to begin"
        )
    return {option: start or oldest}
