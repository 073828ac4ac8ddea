"""Generated functions: source text that is written once, at setup, and stays readable.

As attrs does for ``__init__``: a traceback or a debugger that comes through one shows its line, and
``function.__source__`` the whole.
"""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["generated"]

_serial = itertools.count(1)


def generated(name: str, source: str, names: Mapping[str, Any], title: str) -> Callable[..., Any]:
    """The function ``name`` that the source defines, in which ``names`` are known; ``title`` says what it is for."""
    file = f"<interaqt {title} {next(_serial)}>"
    scope = dict(names)
    exec(compile(source, file, "exec"), scope)
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    function: Callable[..., Any] = scope[name]
    function.__source__ = source  # type: ignore[attr-defined]
    return function
