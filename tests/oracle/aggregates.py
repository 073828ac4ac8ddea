"""What computations over collections come to, by their definitions."""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["aggregate"]


def aggregate(spec: Any, elements: list[Any], host: Any) -> Any:
    """The value of a computation over a collection of a record, by its definition."""
    chosen = [each for each in elements if spec.where is None or spec.where(each)]
    match spec.name_of:
        case "Count":
            return len(chosen)
        case "Every":
            return len(chosen) == len(elements)
        case "Any":
            return bool(chosen)
        case "Summation":
            return sum(value for value in map(spec.of, chosen) if value is not None)
        case "WeightedSummation":
            pairs = [(spec.weight(each), spec.of(each)) for each in chosen]
            return sum((w * v for w, v in pairs if w is not None and v is not None), spec.start or 0)
        case "Average":
            values = [float(value) for value in map(spec.of, chosen) if value is not None]
            return sum(values) / len(values) if values else spec.default
        case "Maximum" | "Minimum":
            values = [value for value in map(spec.of, chosen) if value is not None]
            extreme = max if spec.name_of == "Maximum" else min
            return extreme(values) if values else spec.default
        case "First" | "Last":
            placed = {(spec.by(each), each._key): each for each in chosen if spec.by(each) is not None}
            end = min if spec.name_of == "First" else max
            return spec.of(placed[end(placed)]) if placed else spec.default
        case "Distinct":
            return len({value for value in map(spec.of, chosen) if value is not None})
        case "Custom":
            rows = [spec.options.inputs(each) for each in sorted(chosen, key=lambda each: each._key)]
            return _computed(spec.options, rows, host)
    raise NotImplementedError(spec.name_of)


def _computed(options: Any, rows: list[Any], host: Any) -> Any:
    """What Python makes of all rows: a step is no more than a shorter way to it."""
    if not rows and options.initial is not attrs.NOTHING:
        return options.initial
    answer = options.compute(rows) if options.reads is None else options.compute(options.reads(host), rows)
    return answer if options.state is attrs.NOTHING else answer[0]
