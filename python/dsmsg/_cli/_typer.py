# SPDX-License-Identifier: Apache-2.0
"""Typer as this package uses it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import typer

__all__ = ["Group", "evaluated"]

_F = TypeVar("_F", bound=Callable[..., Any])


class Group(typer.Typer):
    """A group of commands."""

    def __init__(self, help: str | None = None) -> None:
        super().__init__(help=help, rich_markup_mode="rich", add_completion=False)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[_F], _F]:  # noqa: ANN401
        register = super().command(name, **settings)
        return lambda function: register(evaluated(function))


def evaluated(function: _F) -> _F:
    """Evaluates the annotations: with Python 3.9, typer does not do it itself."""
    typed: Any = function
    if hasattr(typed, "__signature__"):
        return function  # done before
    signature = inspect.signature(function)
    parameters = [
        each.replace(annotation=eval(each.annotation, typed.__globals__))  # noqa: S307 - our own
        for each in signature.parameters.values()
    ]
    typed.__signature__ = signature.replace(parameters=parameters)
    return function
