"""What witnesses said about the log: their cosignatures, where each stands, and the halt that follows from what they said.

One row of `ledger_halt` stops every sequencer of the deployment until a person has looked.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.store.ledger import Head
from gateway.store.pipeline import Driver


@dataclass(frozen=True, slots=True)
class Standing:
    """A witness by its key: the largest size it said it has cosigned, its last answer in a word, and when that was."""

    witness: str
    size: int
    answer: str
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class StoredCosignature:
    """A cosignature on the checkpoint of this size: the witness's key, its line in the note, the time it states."""

    size: int
    witness: str
    line: str
    at: datetime


def add_cosignatures(driver: Driver, cosignatures: Iterable[StoredCosignature]) -> None:
    """Keep cosignatures; one that is kept already stays as it is."""
    with driver.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ledger_cosignature (size, witness, line, at) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [(one.size, one.witness, one.line, one.at) for one in cosignatures],
        )


def cosignatures_on(driver: Driver, size: int) -> list[StoredCosignature]:
    """The cosignatures on the checkpoint of this size, by witness."""
    rows = driver.execute(
        "SELECT size, witness, line, at FROM ledger_cosignature WHERE size = %s ORDER BY witness", (size,)
    )
    return [StoredCosignature(*row) for row in rows]


def stream_cosignatures(driver: Driver) -> Iterator[StoredCosignature]:
    """All cosignatures, the smallest checkpoint first."""
    rows = driver.execute("SELECT size, witness, line, at FROM ledger_cosignature ORDER BY size, witness")
    for row in rows:
        yield StoredCosignature(*row)


def sizes_cosigned(driver: Driver, witnesses: Sequence[str], *, above: int, limit: int = 100) -> list[int]:
    """The sizes above this one that any of these witnesses has cosigned, the largest first."""
    rows = driver.execute(
        "SELECT DISTINCT size FROM ledger_cosignature WHERE witness = ANY(%s) AND size > %s ORDER BY size DESC LIMIT %s",
        (list(witnesses), above, limit),
    )
    return [row[0] for row in rows]


def checkpoint_at(driver: Driver, size: int) -> Head | None:
    """The checkpoint that was signed at this size."""
    row = driver.execute("SELECT size, root, note FROM ledger_checkpoint WHERE size = %s", (size,)).fetchone()
    return Head(row[0], bytes(row[1]), row[2]) if row else None


def standings(driver: Driver) -> dict[str, Standing]:
    """Where each witness stands, by its key."""
    rows = driver.execute("SELECT witness, size, answer, asked_at FROM ledger_witness ORDER BY witness")
    return {row[0]: Standing(*row) for row in rows}


def keep_standing(driver: Driver, standing: Standing) -> None:
    """Keep what a witness last said."""
    driver.execute(
        "INSERT INTO ledger_witness (witness, size, answer, asked_at) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (witness) DO UPDATE SET size = excluded.size, answer = excluded.answer, asked_at = excluded.asked_at",
        (standing.witness, standing.size, standing.answer, standing.asked_at),
    )


def halt(driver: Driver, reason: str, at: datetime) -> None:
    """Stop all signing; the first reason stands."""
    driver.execute(
        "INSERT INTO ledger_halt (\"only\", reason, at) VALUES ('ledger', %s, %s) ON CONFLICT DO NOTHING",
        (reason, at),
    )


def halted(driver: Driver) -> str | None:
    """Why nothing may be signed; None where it may."""
    row = driver.execute("SELECT reason FROM ledger_halt").fetchone()
    return row[0] if row else None


def lift_halt(driver: Driver) -> None:
    """Let signing go on."""
    driver.execute("DELETE FROM ledger_halt")
