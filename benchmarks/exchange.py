"""Deliveries end to end: from the outbox through workers, decision, rendering and log over HTTP to a partner, and its receipt.

Two worker processes and the sweeper of a deployment, the embedded broker and PostgreSQL, and a partner in a process of its own that
takes signed webhooks. The clock runs from the commit that queues a round of plans to the moment none of them waits any more. The
peer (`benchmarks/_posting.py`) posts the same bytes from rows of the same table with hand-written SQL, and does none of the rest.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from benchmarks._community import CLINIC, OPEN, PURPOSE, SCHOOL, Client, community, enrol
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
from benchmarks._rows import Row, middle, row
from gateway.exchange.audit import verify_ledger
from gateway.exchange.community_file import AdapterKind
from gateway.exchange.context import Hub
from gateway.exchange.plans import Proposed, activate, propose
from gateway.store import outbox
from gateway.store.broker import ensure_broker
from gateway.store.outbox import NewDelivery, Topic

CHILDREN = 400
WARM_UP = 60
ROUNDS = 5
WORKERS = 2
POSTERS = 2
LEAST_PER_SECOND = 50
LEAST_FACTS = 12
PATIENCE = 120.0
_LOOK = 0.02


class Spoken:
    """A process that is told a JSON line at a time and answers each with one."""

    def __init__(self, module: str, env: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=env
        )

    def tell(self, what: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a process of the measurement ended; its messages are above")
        told: dict[str, Any] = json.loads(line)
        return told

    def ask(self, what: object) -> dict[str, Any]:
        self.tell(what)
        return self.hear()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        _end(self.process)


@dataclass(slots=True)
class Bench:
    """What every round needs."""

    hub: Hub
    database: "psycopg.Connection[tuple[Any, ...]]"
    partner: Spoken
    children: Sequence[UUID]
    posters: list[Spoken] = field(default_factory=list)
    expected: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """What the rounds of one side came to."""

    rates: list[float] = field(default_factory=list)
    queued: int = 0
    lost: int = 0
    repeats: int = 0
    unwanted: int = 0

    def count(self, ids: set[str], seconds: float, had: Mapping[str, Any]) -> None:
        """One round: what was queued, how long it took, what the partner says it had."""
        arrived = set(had["ids"])
        self.rates.append(len(ids & arrived) / seconds)
        self.queued += len(ids)
        self.lost += len(ids - arrived)
        self.repeats += int(had["repeats"])
        self.unwanted += len(arrived - ids) + int(had["refusals"])


def run() -> list[Row]:
    """Measure ours and the peer in turns and compare round by round."""
    with temporary_home() as home, server_of(home) as urls:
        if not is_durable(urls):
            raise RuntimeError("the embedded PostgreSQL does not write through to disk; nothing was measured")
        env = environment(home, log_level="warning", allow_loopback_partners="true")
        with ExitStack() as stack:
            hub = stack.enter_context(hub_of(home, allow_loopback_partners=True))
            database = stack.enter_context(psycopg.connect(plain(urls.admin), autocommit=True))
            partner = stack.enter_context(_spoken("benchmarks._partner", env))
            address = partner.hear()
            bench = Bench(hub, database, partner, _families(hub, home, address))
            stack.enter_context(ensure_broker(hub.settings))
            for words in [("work",)] * WORKERS + [("serve", "--only", "sweep")]:
                stack.enter_context(_planhub(words, env))
            notices = _warm_up(bench)
            for _ in range(POSTERS):
                bench.posters.append(_poster(stack, env, address, notices))
            _prove_the_same(bench)
            ours, bare = _compare(bench)
            entered = _entered(database)
            sound = verify_ledger(hub, bodies=False).sound
    return _rows(ours, bare, entered if sound else 0)


def _families(hub: Hub, home: Path, address: Mapping[str, Any]) -> list[UUID]:
    """Children with plans in force, and the clinic's wish to be sent them: by a way of its own in each round.

    A plan that a way has taken before is not sent by it again, so a round that sends everything needs a new one.
    """
    client, secret = Client.new(), home / "bench-signing"
    secret.write_text(address["secret"])
    apply_community(hub, community(client))
    children = enrol(hub, CHILDREN)
    for child in children:
        done = propose(hub, SCHOOL, child), activate(hub, SCHOOL, child, (), None)
        if not all(isinstance(one, Proposed) for one in done):
            raise RuntimeError("a plan could not be brought into force; nothing was measured")
    ways = [_way(number) for number in range(ROUNDS + 1)]
    connections = [
        {
            "key": way,
            "agency": CLINIC,
            "adapter": AdapterKind.WEBHOOK.value,
            "config": {"url": address["url"]},
            "secrets": {"signing": f"file:{secret}"},
        }
        for way in ways
    ]
    subscriptions = [
        {
            "key": way,
            "agency": CLINIC,
            "connection": way,
            "purpose": PURPOSE.value,
            "categories": sorted(topic.value for topic in OPEN),
        }
        for way in ways
    ]
    apply_community(hub, community(client, connections=connections, subscriptions=subscriptions))
    return children


def _way(number: int) -> str:
    return f"bench-clinic-{number}"


def _warm_up(bench: Bench) -> list[str]:
    """Until every process is up and has its connections; the notices that go with a plan."""
    tally = Tally()
    had = _ours(bench, tally, bench.children[:WARM_UP], ROUNDS)
    if tally.lost or not had["payloads"]:
        raise RuntimeError("not all that was queued arrived before the measurement; nothing was measured")
    shown = next(iter(had["payloads"].values()))
    facts = shown["facts"]
    if len(facts) < LEAST_FACTS or {fact["topic"] for fact in facts} - OPEN:
        raise RuntimeError("what arrived are not the plans that were to be sent; nothing was measured")
    bench.expected = had["payloads"]
    return list(shown["notices"])


def _prove_the_same(bench: Bench) -> None:
    """The peer does the same useful work: for every child the partner gets the same facts in the same words."""
    had = _bare(bench, Tally(), bench.children[:WARM_UP])
    if had["payloads"] != bench.expected:
        raise RuntimeError("what the peer posts is not what we send; nothing was measured")


def _compare(bench: Bench) -> tuple[Tally, Tally]:
    """By turns, so that what else the machine does meets both alike."""
    ours, bare = Tally(), Tally()
    for number in range(ROUNDS):
        if number % 2:
            _bare(bench, bare, bench.children)
            _ours(bench, ours, bench.children, number)
        else:
            _ours(bench, ours, bench.children, number)
            _bare(bench, bare, bench.children)
    return ours, bare


def _ours(bench: Bench, tally: Tally, children: Sequence[UUID], number: int) -> dict[str, Any]:
    """One round of ours: queue a plan for every child, wait until nothing waits."""
    hub = bench.hub
    new = [
        NewDelivery(hub.ids(), CLINIC, child, _way(number), Topic.PLAN, child, PURPOSE.value)
        for child in children
    ]
    with hub.db.transaction() as connection:
        for one in new:
            outbox.enqueue(connection, one, hub.clock())
    began = time.perf_counter()
    while _waiting(bench.database):
        if time.perf_counter() - began > PATIENCE:
            raise RuntimeError(f"after {PATIENCE:.0f} s deliveries still waited; nothing was measured")
        time.sleep(_LOOK)
    seconds = time.perf_counter() - began
    had = bench.partner.ask("had")
    tally.count({str(one.delivery_id) for one in new}, seconds, had)
    return had


def _waiting(database: "psycopg.Connection[tuple[Any, ...]]") -> bool:
    return database.execute("SELECT EXISTS (SELECT FROM delivery WHERE state = 'pending')").fetchone() == (
        True,
    )


def _bare(bench: Bench, tally: Tally, children: Sequence[UUID]) -> dict[str, Any]:
    """One round of the peer: the same rows in a state the product does not look at."""
    ids = [bench.hub.ids() for _ in children]
    bench.database.execute(
        "INSERT INTO delivery (delivery_id, recipient, child_id, connection, topic, subject_id, purpose, position, state, "
        "created_at, updated_at) SELECT d, %s, c, %s, 'plan', c, %s, 1, 'bare', now(), now() "
        "FROM unnest(%s::uuid[], %s::uuid[]) AS t(d, c)",
        (CLINIC, _way(0), PURPOSE.value, ids, list(children)),
    )
    began = time.perf_counter()
    for poster in bench.posters:
        poster.tell("post")
    done = sum(poster.hear()["done"] for poster in bench.posters)
    seconds = time.perf_counter() - began
    had = bench.partner.ask("had")
    tally.count({str(one) for one in ids}, seconds, had)
    if done != len(ids):
        raise RuntimeError("the peer did not post all that waited; nothing was measured")
    return had


def _entered(database: "psycopg.Connection[tuple[Any, ...]]") -> int:
    """Deliveries of the rounds that name a disclosure of their own in the signed log."""
    found = database.execute(
        "SELECT count(DISTINCT e.seq) FROM delivery d JOIN ledger_entry e ON e.seq = d.ledger_seq "
        "AND e.subject = d.delivery_id AND e.child_id = d.child_id AND e.kind = 'disclosure' "
        "WHERE d.state = 'delivered' AND d.connection <> %s",
        (_way(ROUNDS),),
    ).fetchone()
    return int(found[0]) if found else 0


def _rows(ours: Tally, bare: Tally, entered: int) -> list[Row]:
    rate = middle(ours.rates)
    ratio = middle([mine / theirs for mine, theirs in zip(ours.rates, bare.rates, strict=True)])
    missing = ours.queued - entered
    return [
        row(
            "exchange: deliveries end to end",
            rate,
            "/s",
            peer=f"bare loop, {middle(bare.rates):.0f}/s",
            ratio=ratio,
            bar=f">= {LEAST_PER_SECOND}/s",
            ok=rate >= LEAST_PER_SECOND,
        ),
        row("exchange: lost", ours.lost, "", bar="= 0", ok=ours.lost == 0),
        row("exchange: duplicates", ours.repeats, "", bar="= 0", ok=ours.repeats == 0),
        row("exchange: arrived without being queued", ours.unwanted, "", bar="= 0", ok=ours.unwanted == 0),
        row("exchange: without an entry in the log", missing, "", bar="= 0", ok=missing == 0),
    ]


@contextmanager
def _spoken(module: str, env: Mapping[str, str]) -> Iterator[Spoken]:
    spoken = Spoken(module, env)
    try:
        yield spoken
    finally:
        spoken.close()


def _poster(
    stack: ExitStack, env: Mapping[str, str], address: Mapping[str, Any], notices: list[str]
) -> Spoken:
    told = {"org": CLINIC, "purpose": PURPOSE.value, "topics": sorted(OPEN), "notices": notices, **address}
    poster = stack.enter_context(_spoken("benchmarks._posting", env))
    poster.ask(told)
    return poster


@contextmanager
def _planhub(words: Sequence[str], env: Mapping[str, str]) -> Iterator[None]:
    """A process of a deployment, as `planhub serve` starts it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", *words], env=env, cwd=ROOT, stdin=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
