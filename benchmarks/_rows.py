"""The rows `planhub bench` shows: what was measured, against which peer of the same run, the bar and whether it holds."""

from statistics import median
from typing import Any

Row = dict[str, Any]


def row(
    name: str,
    value: float,
    unit: str,
    *,
    peer: str | None = None,
    ratio: float | None = None,
    bar: str | None = None,
    ok: bool | None = None,
) -> Row:
    """One figure. `peer` says what it is compared with and what that measured; `ratio` is ours to the peer's.

    `bar` is written out, as `>= 200/s`. A figure without one stands there to be read: its `ok` is None.
    """
    if (bar is None) != (ok is None):
        raise ValueError(f"{name}: a bar and whether it is met belong together")
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "peer": peer,
        "ratio": ratio,
        "bar": bar,
        "ok": ok,
    }


def percentile(sorted_values: list[float], share: float) -> float:
    """The value below which that share of the others lies (nearest rank); 0 of none."""
    if not sorted_values:
        return 0.0
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def middle(values: list[float]) -> float:
    """The median: on a machine that others use too, one disturbed round says little."""
    return float(median(values))
