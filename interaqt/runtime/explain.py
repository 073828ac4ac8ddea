"""Explaining: the plan of an interaction, for a person to read."""

from __future__ import annotations

import attrs

from interaqt.runtime.reaction import Step

__all__ = ["Plan"]


@attrs.frozen
class Plan:
    """The statements of a dispatch, in order. Indented ones run only if the ones above changed something."""

    interaction: str
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        lines = [self.interaction]
        for number, step in enumerate(self.steps, 1):
            indent = "    " * max(step.depth - 1, 0)
            lines += [f"{indent}{number:>3}. {step.why}", f"{indent}     {step.sql}"]
        return "\n".join(lines)
