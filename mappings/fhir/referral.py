"""What a partner's Task says became of our referral: an event, and the way from where we knew it to be.

Task.status is read with Gravity's table (health.md §1.2); `received`, which only base R4 has, is tolerated. A Task that is
polled may have moved more than once: the way is the shortest run of moves the partner may make, and a status no such run
leads to is an issue that names the table, never a change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mappings.engine.compiled import CompiledMap
from mappings.fhir.inbound import Json, read
from mappings.record.assertion import Draft, check_value
from mappings.record.category import Category
from mappings.record.issue import Issue, IssueCode, Severity
from mappings.record.lifecycle import Party, advance_referral, steps
from mappings.record.referral import ReferralState


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """`draft` states the event; None where nothing changed or nothing could be read. `way` ends in its state."""

    draft: Draft | None
    way: tuple[ReferralState, ...]
    issues: tuple[Issue, ...]


def task_event(
    task: Mapping[str, Any],
    now: ReferralState,
    *,
    system: str,
    topic: Category,
    procedures: Sequence[Json] = (),
    compiled: CompiledMap | None = None,
) -> TaskEvent:
    """The event of a partner's Task; `now` is where our referral stands, `topic` the category of its need.

    `procedures` are the resources Task.output names: they say when the service began and what was done.
    """
    result = read(task, system=system, topic=topic, procedures=procedures, compiled=compiled)
    issues = list(result.issues)
    made = next((one.draft() for one in result.outputs if one.kind == "referral-event"), None)
    value, wrong = check_value(made.kind, made.value, "Task") if made else (None, ())
    issues += wrong
    if made is None or value is None:
        return TaskEvent(None, (), tuple(issues))
    state = ReferralState(value["state"])
    way = steps(now, state, Party.TARGET)
    if way is None:
        refused = advance_referral(now, state, Party.TARGET, path="Task.status")
        assert isinstance(refused, Issue), "where there is no way there is no single move either"
        issues.append(refused)
        return TaskEvent(None, (), tuple(issues))
    if task.get("status") == "on-hold":
        text = "on-hold is kept as waitlisted, with the reason the partner gave"
        issues.append(
            Issue(severity=Severity.INFORMATION, code=IssueCode.NO_HOME, path="Task.status", text=text)
        )
    return TaskEvent(replace(made, value=value) if way else None, way, tuple(issues))
