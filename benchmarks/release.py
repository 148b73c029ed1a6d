"""Consented plan reads over HTTP against a bare read of the same rows: how much of a plain read's speed consent leaves.

Sixteen callers read plans from two web processes. Every answer of ours is a token checked, a decision made under the child's
lock, rows read under row-level security, and an entry that is in the signed log and on disk before the first byte leaves.
The peer (`benchmarks/_bare.py`) sends the same bytes and does none of it.
"""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import psycopg

from benchmarks._bare import BARE, OPEN_DOOR, VARIABLE
from benchmarks._community import CLINIC, OPEN, PURPOSE, Client, community, enrol, references
from benchmarks._hub import (
    ROOT,
    apply_community,
    environment,
    hub_of,
    is_durable,
    plain,
    server_of,
    temporary_home,
)
from benchmarks._rows import Row, middle, percentile, row

CHILDREN = 300
CALLERS = 16
ROUNDS = 7
SECONDS = 3.0
WARM_UP = 2.0
LEAST_RATIO = 0.35
LEAST_PER_SECOND = 200
MOST_MILLISECONDS = 100
LEAST_FACTS = 12
_MOST_REQUESTS = 20_000
_START_SECONDS = 60


@dataclass(slots=True)
class Side:
    """One of those that are compared: where it answers, and what each round came to."""

    ports: list[int]
    paths: list[str]
    headers: dict[str, str] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    errors: int = 0
    load_share: list[float] = field(default_factory=list)

    def measure(self, seconds: float, *, keep: bool = True) -> None:
        """One round of load; the generator is a process of its own."""
        task = {
            "ports": self.ports,
            "callers": CALLERS,
            "seconds": seconds,
            "paths": self.paths,
            "headers": self.headers,
            "most": _MOST_REQUESTS,
        }
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks._load"],
            input=json.dumps(task).encode(),
            stdout=subprocess.PIPE,
            check=True,
            cwd=ROOT,
        )
        told = json.loads(done.stdout)
        self.errors += told["errors"]
        if keep:
            self.rates.append(told["count"] / told["wall"])
            self.milliseconds += told["milliseconds"]
            self.load_share.append(told["cpu"] / told["wall"])

    def percentile(self, share: float) -> float:
        """Milliseconds below which that share of all answers came."""
        return percentile(sorted(self.milliseconds), share)

    def ratio_to(self, other: "Side") -> float:
        """The median of the rounds' ratios: each round of one stands beside one of the other."""
        return middle([mine / theirs for mine, theirs in zip(self.rates, other.rates, strict=True)])


@dataclass(frozen=True, slots=True)
class Sides:
    """The product, the peer behind the same door, and the peer with no door."""

    ours: Side
    bare: Side
    unasked: Side

    def all(self) -> tuple[Side, Side, Side]:
        return self.ours, self.bare, self.unasked


def run() -> list[Row]:
    """Measure ours and the peers in turns and compare round by round."""
    with temporary_home() as home, server_of(home) as urls:
        if not is_durable(urls):
            raise RuntimeError("the embedded PostgreSQL does not write through to disk; nothing was measured")
        client, ports = Client.new(), free_ports(4)
        address = f"http://127.0.0.1:{ports[0]}"
        with hub_of(home, public_url=address) as hub:
            apply_community(hub, community(client))
            refs = references(hub, CLINIC, enrol(hub, CHILDREN))
            form = client.token_form(f"{address}/oauth/token", hub)
            with ExitStack() as stack:
                sides = _open(
                    stack, environment(home, log_level="warning", public_url=address), ports, refs, form
                )
                _prove_the_same(sides)
                _compare(sides)
        entries = _entries(urls.admin)
    if entries < len(sides.ours.milliseconds):
        raise RuntimeError(
            f"{len(sides.ours.milliseconds)} plans were read and only {entries} entries are in the log"
        )
    return _rows(sides)


def _open(
    stack: ExitStack, env: dict[str, str], ports: list[int], refs: list[str], form: Mapping[str, str]
) -> Sides:
    """Two web processes of the product and two of the peer, and a token for the caller."""
    for port in ports[:2]:
        stack.enter_context(web("gateway.app:create", port, env))
    headers = {"Authorization": f"Bearer {_token(ports[0], form)}"}
    ours = Side(ports[:2], [f"/v1/children/{ref}/plan" for ref in refs], headers)
    notices = json.loads(_get(ours, ours.paths[0]))["notices"]
    told = {"org": CLINIC, "purpose": PURPOSE, "topics": sorted(OPEN), "notices": notices}
    for port in ports[2:]:
        stack.enter_context(web("benchmarks._bare:create", port, env | {VARIABLE: json.dumps(told)}))
    bare = Side(ports[2:], [f"{BARE}/{ref}/plan" for ref in refs], headers)
    return Sides(ours, bare, Side(ports[2:], [f"{OPEN_DOOR}/{ref}/plan" for ref in refs]))


def _compare(sides: Sides) -> None:
    """All by turns, so that what else the machine does meets them alike."""
    for side in sides.all():
        side.measure(WARM_UP, keep=False)
    for turn in range(ROUNDS):
        for side in sides.all() if turn % 2 else reversed(sides.all()):
            side.measure(SECONDS)


def _prove_the_same(sides: Sides) -> None:
    """The peers do the same useful work: for every child the same bytes, a plan's worth of facts in them."""
    for paths in zip(*(side.paths for side in sides.all()), strict=True):
        ours, *others = (_get(side, path) for side, path in zip(sides.all(), paths, strict=True))
        if others != [ours] * len(others):
            raise RuntimeError("a peer's answer is not ours; nothing was measured")
        facts = json.loads(ours)["facts"]
        if len(facts) < LEAST_FACTS or {fact["topic"] for fact in facts} - OPEN:
            raise RuntimeError("the answers are not the plans that were to be read; nothing was measured")


def _rows(sides: Sides) -> list[Row]:
    ours, bare, unasked = sides.all()
    ratio, rate, slowest = ours.ratio_to(bare), middle(ours.rates), ours.percentile(0.99)
    errors = sum(side.errors for side in sides.all())
    return [
        row(
            "release: consented plan reads",
            rate,
            "/s",
            peer=f"bare read, {middle(bare.rates):.0f}/s",
            ratio=ratio,
            bar=f">= {LEAST_RATIO} of the bare read",
            ok=ratio >= LEAST_RATIO,
        ),
        row("release: throughput", rate, "/s", bar=f">= {LEAST_PER_SECOND}/s", ok=rate >= LEAST_PER_SECOND),
        row(
            "release: p99",
            slowest,
            "ms",
            peer=f"bare read, {bare.percentile(0.99):.1f} ms",
            ratio=slowest / bare.percentile(0.99),
            bar=f"<= {MOST_MILLISECONDS} ms",
            ok=slowest <= MOST_MILLISECONDS,
        ),
        row(
            "release: p50",
            ours.percentile(0.5),
            "ms",
            peer=f"bare read, {bare.percentile(0.5):.1f} ms",
            ratio=ours.percentile(0.5) / bare.percentile(0.5),
        ),
        row("release: failed requests", errors, "", bar="= 0", ok=errors == 0),
        row(
            "release: beside a read that asks for no token",
            rate,
            "/s",
            peer=f"bare read without a door, {middle(unasked.rates):.0f}/s",
            ratio=ours.ratio_to(unasked),
        ),
        row(
            "release: load generator",
            middle(ours.load_share),
            "cores",
            peer=f"at the bare read, {middle(bare.load_share):.2f} cores",
        ),
    ]


def free_ports(count: int) -> list[int]:
    """Ports of loopback that were free a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def web(factory: str, port: int, env: Mapping[str, str]) -> Iterator[None]:
    """One web process, answering for the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks._web", factory, str(port)], env=env, cwd=ROOT
    )
    try:
        _wait(process, port)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("a web process did not start; its messages are above")


def _get(side: Side, path: str) -> bytes:
    connection = HTTPConnection("127.0.0.1", side.ports[0], timeout=30)
    connection.request("GET", path, headers=side.headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"a plan that should be readable was answered with {answer.status}")
    return body


def _token(port: int, form: Mapping[str, str]) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    sent = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/oauth/token", urlencode(form), sent)
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return str(answer["access_token"])


def _entries(admin: str) -> int:
    """How many disclosures the signed log holds."""
    with psycopg.connect(plain(admin), autocommit=True) as connection:
        found = connection.execute("SELECT count(*) FROM ledger_entry WHERE kind = 'disclosure'").fetchone()
    return int(found[0]) if found else 0
