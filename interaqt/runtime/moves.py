"""Moves: what one contributing record was to a rule that compares them, and what it is."""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["Move", "State"]

#: The values of ``ComparedRule.state``.
State = tuple[Any, ...]


@attrs.frozen
class Move:
    """One record of one host; a state is None where it is not in the comparison."""

    host: Any
    key: Any
    old: State | None
    new: State | None
