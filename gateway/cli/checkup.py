"""What `planhub doctor` looks at: one finding per part, each with the next command where something is wrong."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography import x509
from sqlalchemy import select

from consent.agreement import AgreementStatus
from gateway.exchange.context import Hub, SecretMissing
from gateway.exchange.opening import open_hub
from gateway.exchange.witnessing import Heard
from gateway.settings import Settings
from gateway.store import tables, witnesses
from gateway.store.broker import BrokerError, ensure_broker
from gateway.store.configuration import read_place
from gateway.store.pipeline import driver_of

SOON = timedelta(days=30)
OWNER_ONLY = 0o600


class Verdict(StrEnum):
    """How a part is."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One part, how it is, and what to do."""

    verdict: Verdict
    part: str
    text: str
    step: str = ""

    def as_json(self) -> dict[str, Any]:
        """Stable keys for `--json`."""
        return asdict(self)


def findings(settings: Settings) -> Iterator[Finding]:
    """Every part in the order in which a fault would matter. A part that cannot be opened ends the parts behind it."""
    yield from _certificate(settings.tls_certificate, datetime.now(UTC))
    yield _broker(settings)
    keys = _keys(settings)
    yield keys
    if keys.verdict is Verdict.FAIL:  # nothing is opened with a key that others can read
        return
    try:
        with open_hub(settings) as hub:
            yield _database(hub)
            yield from _signing(hub)
            yield from _agreements(hub)
            yield from _secrets(hub)
            yield _deliveries(hub)
            yield _ledger(hub)
    except Exception as error:  # noqa: BLE001  # a checkup reports what it met; the class name is enough and reveals nothing
        yield Finding(
            Verdict.FAIL,
            "database",
            f"cannot be opened ({type(error).__name__})",
            "deploy/runbook.md: the database",
        )


def _certificate(path: Path | None, now: datetime) -> Iterator[Finding]:
    if path is None:
        return
    try:
        ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        yield Finding(
            Verdict.FAIL, "TLS", f"{path} is not a readable certificate", "set PLANHUB_TLS_CERTIFICATE"
        )
        return
    left = ends - now
    verdict = Verdict.OK if left > SOON else Verdict.WARN if left > timedelta(0) else Verdict.FAIL
    yield Finding(
        verdict, "TLS", f"certificate ends {ends:%Y-%m-%d}", "" if verdict is Verdict.OK else "renew it"
    )


def _broker(settings: Settings) -> Finding:
    from kombu.connection import Connection

    try:
        with (
            ensure_broker(settings) as broker,
            Connection(broker.url, connect_timeout=5) as connection,  # type: ignore[no-untyped-call]  # kombu is untyped
        ):
            connection.ensure_connection(max_retries=1, timeout=5)
    except (BrokerError, OSError, connection_errors()) as error:
        return Finding(
            Verdict.WARN,
            "broker",
            f"does not answer ({type(error).__name__}); nothing is lost, deliveries wait for the sweep",
            "deploy/runbook.md: the broker",
        )
    return Finding(Verdict.OK, "broker", "answers")


def connection_errors() -> type[Exception]:
    """The class kombu raises for every transport."""
    from kombu.exceptions import OperationalError

    found: type[Exception] = OperationalError
    return found


def _database(hub: Hub) -> Finding:
    with hub.db.transaction() as conn:
        server = conn.exec_driver_sql("SHOW server_version").scalar_one()
        version = conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    return Finding(Verdict.OK, "database", f"PostgreSQL {server}, schema {version}")


def _keys(settings: Settings) -> Finding:
    path = settings.key_file or settings.home / "keys" / "master.key"
    if not path.exists():
        return Finding(Verdict.OK, "keys", "the master key is made at the first start")
    mode = path.stat().st_mode & 0o777
    if mode != OWNER_ONLY:
        return Finding(Verdict.FAIL, "keys", f"{path} has mode {mode:o}", f"chmod 600 {path}")
    return Finding(Verdict.OK, "keys", "the master key is readable by its owner only")


def _signing(hub: Hub) -> Iterator[Finding]:
    """Whether the log may be signed, and what each of its witnesses last said."""
    with hub.db.transaction() as conn:
        driver = driver_of(conn)
        halted, standings = witnesses.halted(driver), witnesses.standings(driver)
    if halted is not None:
        yield Finding(Verdict.FAIL, "signing", halted, "planhub ledger fsck")
    else:
        yield Finding(Verdict.OK, "signing", "the ledger may be signed")
    for name, witness in (hub.policy.witnesses if hub.policy is not None else {}).items():
        last = standings.get(str(witness.key))
        if last is None:
            yield Finding(
                Verdict.WARN, f"witness {name}", "never asked", "planhub serve asks it every few seconds"
            )
        elif last.answer != Heard.COSIGNED:
            yield Finding(Verdict.WARN, f"witness {name}", last.answer, "ask whoever runs it; docs/ledger.md")
        else:
            yield Finding(Verdict.OK, f"witness {name}", f"cosigned at {last.size:,} entries")


def _agreements(hub: Hub) -> Iterator[Finding]:
    a = tables.agreement
    now = hub.clock()
    with hub.db.transaction() as conn:
        in_force = a.c.status == AgreementStatus.IN_FORCE
        rows = conn.execute(select(a.c.agreement, a.c.valid_until).where(in_force)).all()
        zone = read_place(conn).zone
    if not rows:
        yield Finding(
            Verdict.WARN,
            "agreements",
            "none is in force, so nothing can flow",
            "planhub apply -f community.yaml",
        )
    for row in rows:
        if row.valid_until is not None and row.valid_until - now < SOON:
            verdict = Verdict.WARN if row.valid_until > now else Verdict.FAIL
            yield Finding(
                verdict,
                "agreements",
                f"{row.agreement} ends {row.valid_until.astimezone(zone):%Y-%m-%d}",
                "renew it and planhub apply",
            )


def _secrets(hub: Hub) -> Iterator[Finding]:
    c = tables.connection
    with hub.db.transaction() as conn:
        rows = conn.execute(select(c.c.connection, c.c.config).where(c.c.status == "active")).all()
    for row in rows:
        for reference in row.config.get("secrets", {}).values():
            try:
                hub.secrets(reference)
            except SecretMissing as error:
                yield Finding(Verdict.FAIL, row.connection, str(error), "set it and run planhub doctor again")


def _deliveries(hub: Hub) -> Finding:
    with hub.db.transaction() as conn:
        rows = conn.exec_driver_sql("SELECT state, count(*) FROM delivery GROUP BY state").all()
    counts: dict[str, int] = {row[0]: row[1] for row in rows}
    stuck = counts.get("dead", 0) + counts.get("held", 0)
    text = ", ".join(f"{n} {state}" for state, n in sorted(counts.items())) or "none yet"
    if stuck:
        return Finding(
            Verdict.WARN, "deliveries", text, "planhub deliveries list --state dead --group-by cause"
        )
    return Finding(Verdict.OK, "deliveries", text)


def _ledger(hub: Hub) -> Finding:
    from gateway.cli.ledger import RUNBOOK, summary
    from gateway.exchange.audit import verify_ledger

    report = verify_ledger(hub)
    if not report.sound:
        return Finding(Verdict.FAIL, "ledger", summary(report), RUNBOOK)
    return Finding(Verdict.OK, "ledger", summary(report))
