"""The states of a referral Task and who may move it: Gravity SDOH Clinical Care 3.0.0 (health.md §1.2)."""

from http import HTTPStatus

from adapters.sandbox.fhir.outcome import RefusedError, Resource

GRAVITY = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"
BEGINNINGS = frozenset({"draft", "requested"})
ERROR = "entered-in-error"
# (from, to) → who: the requester, the target, or either.
MOVES: dict[tuple[str, str], frozenset[str]] = {
    (before, after): frozenset(by.split())
    for before, afters, by in (
        ("draft", "requested", "requester"),
        ("requested", "accepted rejected", "target"),
        ("requested", "cancelled", "requester target"),
        ("accepted", "in-progress on-hold completed failed", "target"),
        ("accepted", "cancelled", "requester target"),
        ("in-progress", "on-hold completed failed", "target"),
        ("in-progress", "cancelled", "requester target"),
        ("on-hold", "in-progress completed failed", "target"),
        ("on-hold", "cancelled", "requester target"),
    )
    for after in afters.split()
}


def may(before: str, after: str, actor: str | None = None) -> bool:
    """Whether a Task may go from one status to another, by this actor or (None) by anyone."""
    if after == ERROR:
        return before != ERROR and actor in {None, "requester"}
    by = MOVES.get((before, after), frozenset())
    return bool(by) if actor is None else actor in by


def is_referral(task: Resource) -> bool:
    """Whether Gravity's table speaks of this Task: an order to fulfil. Tasks for a patient have states of their own."""
    codes = {coding.get("code") for coding in task.get("code", {}).get("coding", [])}
    return task.get("intent") == "order" and "fulfill" in codes


def check_move(before: Resource | None, after: Resource) -> None:
    """RefusedError 422 where a write would put a referral Task into a state it cannot reach."""
    if after.get("resourceType") != "Task" or not is_referral(after):
        return
    old, new = before["status"] if before else None, after["status"]
    if (new in BEGINNINGS) if old is None else (old == new or may(old, new)):
        return
    raise RefusedError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "business-rule",
        f"A referral Task does not go from {old or 'nothing'} to {new} (Gravity, Task for Referral Management).",
        "Task.status",
    )


def moved(task: Resource, status: str, reason: str | None, procedure: str | None, at: str) -> Resource:
    """The Task as the target leaves it; RefusedError 422 for a move that is not the target's to make.

    Completing takes at least one output (Gravity §refer-10): pass the reference of a Procedure, or have one there.
    """
    before = task["status"]
    if not may(before, status, "target"):
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "business-rule",
            f"The target may not move a Task from {before} to {status}.",
            "Task.status",
        )
    after = {name: value for name, value in task.items() if name != "statusReason"}
    after |= {"status": status, "lastModified": at}
    if reason:
        after["statusReason"] = {"text": reason}
    if procedure:
        coding = {"system": GRAVITY, "code": "resulting-activity", "display": "Resulting Activity"}
        output = {"type": {"coding": [coding]}, "valueReference": {"reference": procedure}}
        after["output"] = [*task.get("output", []), output]
    if status == "completed" and not after.get("output"):
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "business-rule",
            "A completed Task has at least one output. Pass the Procedure that was done.",
            "Task.output",
        )
    return after


def procedure_for(task: Resource, given: Resource, at: str) -> Resource:
    """A Procedure done for a Task: subject and basedOn from the Task, completed today unless it says otherwise."""
    done: Resource = {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": task["for"],
        "performedDateTime": at,
    }
    if task.get("focus", {}).get("reference", "").startswith("ServiceRequest/"):
        done["basedOn"] = [task["focus"]]
    return {**done, **given}
