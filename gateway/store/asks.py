"""Asks as rows: written once, answered, closed, reminded of."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from consent.ask import Ask, MadeBy
from consent.directive import Directive
from consent.vocabulary import Effect, Purpose
from gateway.store.tables import ask
from mappings.record.category import Category


def add_ask(connection: Connection, made: Ask, body: bytes, *, closed_at: datetime | None) -> bool:
    """Write a new ask; False where this asker has one open for the recipient and purpose. `body` is sealed.

    An ask of this asker's that has lapsed makes room.
    """
    place = (ask.c.child_id, ask.c.recipient, ask.c.asker, ask.c.purpose)
    same = (made.child_id, made.recipient, made.asker, made.purpose.value)
    connection.execute(
        update(ask)
        .where(
            *(column == value for column, value in zip(place, same, strict=True)),
            ask.c.closed_at.is_(None),
            ask.c.lapses_at <= made.made_at,
        )
        .values(closed_at=made.made_at)
    )
    values = {
        "ask_id": made.ask_id,
        "child_id": made.child_id,
        "recipient": made.recipient,
        "asker": made.asker,
        "categories": sorted(made.topics),
        "purpose": made.purpose.value,
        "until": made.until,
        "made_by": made.made_by.value,
        "referral_id": made.referral_id,
        "made_at": made.made_at,
        "lapses_at": made.lapses_at,
        "answer": None if made.answer is None else made.answer.value,
        "answered_at": made.answered_at,
        "closed_at": closed_at,
        "body": body,
    }
    written = connection.execute(insert(ask).values(values).on_conflict_do_nothing().returning(ask.c.ask_id))
    return written.one_or_none() is not None


_CLEAR = tuple(column for column in ask.c if column.name != "body")


def find_ask(connection: Connection, ask_id: UUID, asker: str | None = None) -> Ask | None:
    """One ask; of this asker only, where one is named."""
    statement = select(*_CLEAR).where(ask.c.ask_id == ask_id)
    if asker is not None:
        statement = statement.where(ask.c.asker == asker)
    row = connection.execute(statement).first()
    return None if row is None else _ask(row)


def of_child(connection: Connection, child: UUID) -> list[Ask]:
    """Everything a family was asked about this child, oldest first."""
    rows = connection.execute(
        select(*_CLEAR).where(ask.c.child_id == child).order_by(ask.c.made_at, ask.c.ask_id)
    )
    return [_ask(row) for row in rows]


def body_of(connection: Connection, ask_id: UUID) -> bytes | None:
    """What is sealed of an ask: the language the family needs an interpreter for."""
    found = connection.execute(select(ask.c.body).where(ask.c.ask_id == ask_id)).scalar()
    return None if found is None else bytes(found)


def note_said(connection: Connection, said: Directive) -> None:
    """Answer what a guardian's new sentence answers. The caller holds the child's epoch row for a change."""
    waiting = select(*_CLEAR).where(ask.c.child_id == said.child_id, ask.c.closed_at.is_(None))
    for one in map(_ask, connection.execute(waiting).all()):
        answer = one.answer_in(said)
        if answer is not None:
            set_answer(connection, one.ask_id, answer, said.recorded_at)


def set_answer(connection: Connection, ask_id: UUID, answer: Effect, at: datetime) -> bool:
    """Write the family's answer; False where there is nothing left to answer. A no keeps the ask's place until it lapses."""
    closed = {"closed_at": at} if answer is Effect.PERMIT else {}
    changed = connection.execute(
        update(ask)
        .where(ask.c.ask_id == ask_id, ask.c.closed_at.is_(None), ask.c.lapses_at > at)
        .values(answer=answer.value, answered_at=at, **closed)
    )
    return changed.rowcount == 1


def widen(connection: Connection, row: Ask, topics: Collection[Category]) -> bool:
    """Add topics to an ask of a referral that nobody has answered; False where it stands no more."""
    changed = connection.execute(
        update(ask)
        .where(ask.c.ask_id == row.ask_id, ask.c.answer.is_(None), ask.c.closed_at.is_(None))
        .values(categories=sorted({*row.topics, *topics}))
    )
    return changed.rowcount == 1


def remind(connection: Connection, at: datetime, every: timedelta, most: int) -> list[tuple[UUID, UUID]]:
    """Count a reminder for every ask that is due one; the asks and their children."""
    rows = connection.execute(
        update(ask)
        .where(
            ask.c.closed_at.is_(None),
            ask.c.answer.is_(None),
            ask.c.lapses_at > at,
            ask.c.reminders < most,
            func.coalesce(ask.c.reminded_at, ask.c.made_at) <= at - every,
        )
        .values(reminders=ask.c.reminders + 1, reminded_at=at)
        .returning(ask.c.ask_id, ask.c.child_id)
    )
    return [(row.ask_id, row.child_id) for row in rows]


def _ask(row: Any) -> Ask:
    return Ask(
        ask_id=row.ask_id,
        child_id=row.child_id,
        recipient=row.recipient,
        asker=row.asker,
        topics=frozenset(map(Category, row.categories)),
        purpose=Purpose(row.purpose),
        until=row.until,
        made_by=MadeBy(row.made_by),
        made_at=row.made_at,
        lapses_at=row.lapses_at,
        referral_id=row.referral_id,
        answer=None if row.answer is None else Effect(row.answer),
        answered_at=row.answered_at,
        reminders=row.reminders,
    )
