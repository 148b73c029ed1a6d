"""How fast the map engine is, beside the same maps written by hand in Python and in JSONata on Node.

A record is one child: a student, a school association and two contacts as Ed-Fi sends them, about 5 kB of JSON, already
parsed, with one family in twenty faulty. All three make the same facts of it, which is asserted before anything is timed;
the hand-written Python makes the same issues too, JSONata makes none and gets only families without fault. Each pair is
timed in alternation in this one process or, for Node, at the same time of day on the same machine.

Bars (issue 2): at least 0.3 of hand-written Python, at least 10 times JSONata.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._map_engine import by_hand, reading
from benchmarks._map_engine.children import families
from mappings.engine.result import MapResult
from mappings.engine.shipped import shipped_map

HERE = Path(__file__).with_name("_map_engine")
COUNT = 400
ROUNDS = 5
SECONDS = 1.0
BAR_BY_HAND = 0.3
BAR_JSONATA = 10.0
JSONATA = "jsonata@2"

Family = dict[str, Any]
Mapper = Callable[[Family], list[MapResult]]


def engine() -> Mapper:
    """The shipped maps."""
    student, enrollment, guardian = (
        shipped_map(f"planhub/edfi-{name}").run for name in ("student", "enrollment", "guardian")
    )

    def run(family: Family) -> list[MapResult]:
        return [
            student(family["student"]),
            enrollment(family["enrollment"]),
            *map(guardian, family["guardians"]),
        ]

    return run


def hand_written(family: Family) -> list[MapResult]:
    """The same by hand."""
    made = [by_hand.student(family["student"]), by_hand.enrollment(family["enrollment"])]
    return [*made, *map(by_hand.guardian, family["guardians"])]


def facts(results: list[MapResult]) -> list[dict[str, Any]]:
    """What JSONata is asked to make too."""
    members = ("rule", "kind", "category", "path", "key", "value", "effective")
    plain = [
        {name: getattr(output, name) for name in members} for result in results for output in result.outputs
    ]
    return [{name: value for name, value in one.items() if value is not None} for one in plain]


def compared(results: list[MapResult]) -> list[Any]:
    """Everything of some results, issues without their order."""
    return [
        (
            result.record_id,
            dict(result.subjects),
            result.outputs,
            sorted(issue.model_dump_json() for issue in result.issues),
        )
        for result in results
    ]


def rate(mapper: Mapper, documents: list[Family]) -> float:
    """Records per second over at least `SECONDS / ROUNDS` of work."""
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS / ROUNDS:
        for document in documents:
            mapper(document)
        done += len(documents)
    return done / (time.perf_counter() - start)


def row(
    name: str, value: float | None, peer: str, ratio: float | None, bar: float, **more: Any
) -> dict[str, Any]:
    """One line of the answer; a measurement that could not be made has no ratio and is neither good nor bad."""
    ok = None if ratio is None else ratio >= bar
    return {
        "name": name,
        "value": value,
        "unit": "records/s",
        "peer": peer,
        "ratio": ratio,
        "bar": bar,
        "ok": ok,
        **more,
    }


def beside_by_hand(mapper: Mapper, documents: list[Family]) -> dict[str, Any]:
    """Alternating rounds, the best of each: the machine's other work slows both, never speeds one."""
    for document in documents:
        if compared(mapper(document)) != compared(hand_written(document)):
            message = "the engine and the hand-written maps disagree; nothing was measured"
            raise AssertionError(message)
    ours, theirs = 0.0, 0.0
    for _ in range(ROUNDS):
        ours, theirs = max(ours, rate(mapper, documents)), max(theirs, rate(hand_written, documents))
    return row(
        "map engine beside Python", ours, f"hand-written Python {theirs:.0f}/s", ours / theirs, BAR_BY_HAND
    )


def beside_jsonata(mapper: Mapper, documents: list[Family]) -> dict[str, Any]:
    """Against JSONata on Node, installed into a folder that is gone afterwards; skipped with the reason where it cannot be."""
    clean = [document for document in documents if not any(result.issues for result in mapper(document))]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        reason = _installed(folder)
        answer = _jsonata(folder, clean) if reason is None else None
    if answer is None:
        return row(
            "map engine beside JSONata", None, f"JSONata skipped: {reason or 'it failed'}", None, BAR_JSONATA
        )
    for document, made in zip(clean, answer["results"], strict=True):
        if made != facts(mapper(document)):
            message = "the engine and JSONata disagree; nothing was measured"
            raise AssertionError(message)
    ours = max(rate(mapper, clean) for _ in range(ROUNDS))
    theirs = float(answer["perSecond"])
    return row(
        "map engine beside JSONata", ours, f"JSONata on Node {theirs:.0f}/s", ours / theirs, BAR_JSONATA
    )


def _installed(folder: Path) -> str | None:
    """Install JSONata; the reason where that is not possible."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return "no Node or npm on this machine"
    command = [
        npm,
        "install",
        "--prefix",
        str(folder),
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        JSONATA,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=folder)
    except subprocess.TimeoutExpired:
        return "npm did not answer within two minutes"
    return None if done.returncode == 0 else "npm could not install it"


def _jsonata(folder: Path, documents: list[Family]) -> dict[str, Any] | None:
    tables = {
        name: dict(getattr(reading, name.upper())) for name in ("sex", "grade", "other_name", "relation")
    }
    tables |= {
        name: dict(getattr(reading, name.upper())) for name in ("address_use", "phone_use", "email_use")
    }
    given, made = folder / "input.json", folder / "output.json"
    given.write_text(json.dumps({"families": documents, "tables": tables}), "utf-8")
    command = [
        "node",
        *map(str, (HERE / "run.mjs", folder, HERE / "map.jsonata", given, made, SECONDS, ROUNDS)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        print(done.stderr, file=sys.stderr)
        return None
    answer: dict[str, Any] = json.loads(made.read_text("utf-8"))
    return answer


def run() -> list[dict[str, Any]]:
    """Both measurements."""
    mapper, documents = engine(), families(COUNT)
    return [beside_by_hand(mapper, documents), beside_jsonata(mapper, documents)]


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
