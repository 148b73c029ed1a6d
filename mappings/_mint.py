"""The constructor of `RecordView`. Only `consent.projection` may import this module; import-linter keeps it so."""

from dataclasses import fields
from datetime import datetime
from uuid import UUID

from mappings.view import RecordView, ViewedAssertion


def mint(
    *,
    decision_id: UUID,
    child_ref: str,
    recipient: str,
    purpose: str,
    at: datetime,
    expires: datetime,
    assertions: tuple[ViewedAssertion, ...],
    notices: tuple[str, ...],
    plan_status: str | None,
) -> RecordView:
    """A view of exactly these assertions; the caller has already decided that each may leave."""
    given = locals()
    view = object.__new__(RecordView)
    for field in fields(RecordView):
        object.__setattr__(view, field.name, given[field.name])
    return view
