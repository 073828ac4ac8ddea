"""Making a failing model and history small: lines, attributes and steps are left out as long as it still fails.

Hypothesis knows the draws but not the text; the text has a structure that takes fewer tries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import attrs

__all__ = ["Case", "reduced"]


@attrs.frozen
class Case:
    """The text of a model, and the steps of a history."""

    source: str
    steps: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([self.source, *self.steps])


def reduced(case: Case, fails: Callable[[Case], bool], tries: int = 1500) -> Case:
    """The smallest case found that ``fails`` says is the same failure."""
    left, again = tries, True
    while again and left > 0:
        again = False
        candidates = _smaller(case)
        for candidate in candidates:
            left -= 1
            if left <= 0:
                break
            if fails(candidate):
                case, again = candidate, True
                candidates = _smaller(case)
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    count = len(case.steps)
    size = count // 2
    while size:
        for start in range(0, count - size + 1, size):
            yield attrs.evolve(case, steps=case.steps[:start] + case.steps[start + size :])
        size //= 2
    blocks = case.source.split("\n\n\n")
    for block in blocks[2:-1]:
        yield _without_block(case, block)
    for block in blocks[2:-1]:
        for line in _members(block):
            yield _without_member(case, block, line)
    for pattern, text in _SIMPLER:
        for found in re.finditer(pattern, case.source):
            yield attrs.evolve(
                case, source=case.source[: found.start()] + found.expand(text) + case.source[found.end() :]
            )
    for index, step in enumerate(case.steps):
        for found in re.finditer(r"\w+=", step):
            smaller = _without_argument(step, found.group()[:-1])
            yield attrs.evolve(case, steps=(*case.steps[:index], smaller, *case.steps[index + 1 :]))


#: What may be left out of a line.
_SIMPLER = (
    (r", where=lambda x: .*\)$(?m)", ")"),
    (r"\(guard=\w+\)", ""),
    (r"\(([^()]*(?:\([^()]*\))?[^()]*)\) (?:and|or) \(([^()]*(?:\([^()]*\))?[^()]*)\)", r"\1"),
    (r"\(([^()]*(?:\([^()]*\))?[^()]*)\) (?:and|or) \(([^()]*(?:\([^()]*\))?[^()]*)\)", r"\2"),
    (r" if [^\n]* else (None|\[[^\n]*\])(?=\))", ""),
    (r", unique=True|unique=True", ""),
    (r', on_delete="\w+"|on_delete="\w+"', ""),
    (r", changes=\[.*\]|changes=\[.*\]", ""),
    (r", start=[^)]*\)?(?=\))", ""),
    (r"uuid\.UUID = ", "int = "),
)
_SIMPLER = tuple((f"(?m){pattern.replace('(?m)', '')}", text) for pattern, text in _SIMPLER)


def _without_block(case: Case, block: str) -> Case:
    source = case.source.replace(block + "\n\n\n", "")
    for name in re.findall(r"^class (\w+):", block, re.MULTILINE):
        source = re.sub(rf"(MODELS = \[.*?)\b{name}\b(?:, )?", r"\1", source)
    return Case(source, case.steps)


def _members(block: str) -> list[str]:
    """The attributes and methods of a class as they stand."""
    found = re.split(r"\n(?=    (?:\w+(?::| =)|@)|\n    @)", block)
    return found[1:]


def _without_member(case: Case, block: str, member: str) -> Case:
    smaller = block.replace("\n" + member, "", 1)
    if smaller.rstrip().endswith(":"):
        smaller = smaller.rstrip() + "\n    pass\n"
    source = case.source.replace(block, smaller)
    name = re.match(r"\s*(\w+)(?::| =)", member)
    if name is None:
        return attrs.evolve(case, source=source)
    lines = [_without_argument(line, name.group(1)) for line in source.split("\n")]
    return Case("\n".join(lines), tuple(_without_argument(step, name.group(1)) for step in case.steps))


def _without_argument(text: str, name: str) -> str:
    """The text without ``name=...`` in any call."""
    while True:
        found = re.search(rf"\b{name}=(?!=)", text)
        if found is None:
            return text
        depth, end = 0, found.end()
        while end < len(text) and not (depth == 0 and text[end] in ",)"):
            depth += (text[end] in "([") - (text[end] in ")]")
            end += 1
        start = found.start()
        if text[end : end + 2] == ", ":
            end += 2
        elif text[:start].endswith(", "):
            start -= 2
        text = text[:start] + text[end:]
