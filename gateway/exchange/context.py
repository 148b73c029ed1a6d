"""What every use case is given: the database, the keys, the rules, the clock. Composed once, in `gateway.cli` or the app."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from consent.note import SignerKey, VerifierKey
from consent.trust_policy import TrustPolicy
from gateway.settings import Settings
from gateway.store.configuration import Place, read_place
from gateway.store.engine import Database
from gateway.store.keys import KeyStore


class SecretMissing(Exception):  # noqa: N818 - reads as what happened
    """A secret the community file refers to is not there. The text names the reference, never a value."""


def read_secret(reference: str) -> str:
    """The value behind `env:NAME` or `file:/path` (a last newline is dropped); raises `SecretMissing`."""
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = os.environ.get(name)
        if value is None:
            raise SecretMissing(f"{reference}: this variable is not set; set it where the workers run")
        return value
    try:
        return Path(name).read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError):
        raise SecretMissing(f"{reference}: this file cannot be read; check its path and owner") from None


def time_ordered_id() -> UUID:
    """A UUID of version 7 (RFC 9562 §5.7): 48 bits of milliseconds, the rest random; sorts by time of making."""
    value = int.from_bytes((time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10), "big")
    value = value & ~(0xF << 76) | (0x7 << 76)
    return UUID(int=value & ~(0x3 << 62) | (0x2 << 62))


@dataclass(frozen=True, slots=True)
class Pace:
    """How patiently partners are treated. Every wait is bounded, and every number can be made small in a test.

    `lease`: how long a worker may hold a lane without a sign of life; longer than any one attempt may take.
    `longest_attempt`: what all that one attempt asks of a partner may take together.
    `first_wait`, `longest_wait`: full-jitter backoff of a lane, doubling between the two.
    `give_up`: a delivery that could not be sent this long after it was made is dead.
    `breaker_failures`, `breaker_wait`: failures in a row that stop all traffic to a partner, and for how long.
    `crashes`: times a delivery may take its worker down before it is dead.
    `unclear`: answers in a row that cannot be read before a delivery is dead.
    `faults`: attempts at a delivery that end in something unforeseen before it is dead.
    `per_claim`, `longest_turn`: deliveries sent, and time spent, before a lane is handed back.
    """

    lease: timedelta = timedelta(minutes=2)
    longest_attempt: timedelta = timedelta(seconds=75)
    first_wait: timedelta = timedelta(seconds=10)
    longest_wait: timedelta = timedelta(hours=1)
    give_up: timedelta = timedelta(days=3)
    breaker_failures: int = 5
    breaker_wait: timedelta = timedelta(minutes=2)
    crashes: int = 3
    unclear: int = 5
    faults: int = 5
    per_claim: int = 20
    longest_turn: timedelta = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Hub:
    """One deployment as its use cases see it.

    `rules` are the loaded consent rules, `signer` the ledger's key, `next_signer` the one that is to replace it and signs
    beside it, `retired` those that signed before. `policy` says who the ledger's witnesses are; None where it has none.
    `clock` gives aware UTC, `ids` fresh ids, `random` a float in [0, 1).
    `secrets` turns a reference of the community file (`env:NAME`, `file:/path`) into its value.
    """

    db: Database
    keys: KeyStore
    rules: Any
    signer: SignerKey
    settings: Settings
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    ids: Callable[[], UUID] = field(default=time_ordered_id)
    random: Callable[[], float] = field(default=lambda: int.from_bytes(os.urandom(7), "big") / 2**56)
    secrets: Callable[[str], str] = field(default=read_secret)
    pace: Pace = field(default_factory=Pace)
    next_signer: SignerKey | None = None
    retired: tuple[VerifierKey, ...] = ()
    policy: TrustPolicy | None = None

    @property
    def signers(self) -> tuple[SignerKey, ...]:
        """The keys that sign a checkpoint today: one, or during a change of keys both."""
        return (self.signer,) if self.next_signer is None else (self.signer, self.next_signer)

    @property
    def log_keys(self) -> tuple[VerifierKey, ...]:
        """The keys this log has ever signed with: today's first."""
        return (*(signer.verifier for signer in self.signers), *self.retired)

    def place(self) -> Place:
        """Where the community is, as it was last applied; read anew each time, in a transaction of its own."""
        with self.db.transaction() as conn:
            return read_place(conn)


def identifier_base(base_url: str) -> str:
    """The base of the identifier systems by which partners meet this hub's own references."""
    return f"{base_url}/id"
