"""What became of the referrals sent to a FHIR server: its Tasks, polled (Gravity SDOH Clinical Care, "checking task status").

Asked for are only Tasks whose focus is one of our ServiceRequests, and what they name as output. Others the server sends
all the same are dropped unread. The mark is that of `adapters.fhir.source`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.fhir.client import Capability, FhirClient
from adapters.fhir.source import later, since_parameter, usable
from adapters.port import Failure, Refused, SourceDocument, Watermark
from mappings.record.issue import Issue, IssueCode, Severity

FOCUS_PER_REQUEST = 25
INCLUDE = "Task:output"
OUTPUT_TYPES = frozenset({"Procedure"})
MAX_OUTPUTS = 50


@dataclass(frozen=True, slots=True)
class TaskSource:
    """The referrals of one connection. `focus`: references at the server, as receipts gave them (`ServiceRequest/12`)."""

    client: FhirClient
    focus: Sequence[str]

    def pull(self, since: int | None) -> Iterator[SourceDocument | Issue | Watermark | Failure]:
        """Tasks that changed since the mark and what they produced; then a Watermark, or the Failure that ended it."""
        wanted = list(dict.fromkeys(_literal(reference) for reference in self.focus))
        failure = usable(self.client) if wanted else None
        if failure is not None:
            yield failure
            return
        capability = self.client.capability() if wanted else None
        includes = isinstance(capability, Capability) and INCLUDE in capability.includes.get(
            "Task", frozenset()
        )
        newest = since
        for start in range(0, len(wanted), FOCUS_PER_REQUEST):
            params = _query(wanted[start : start + FOCUS_PER_REQUEST], since, includes=includes)
            for item in self._round(params, frozenset(wanted)):
                yield item
                if isinstance(item, Failure):
                    return
                if isinstance(item, SourceDocument) and item.resource == "Task":
                    newest = later(newest, item)
        yield Watermark(newest, full=False)

    def _round(
        self, params: dict[str, str], wanted: frozenset[str]
    ) -> Iterator[SourceDocument | Issue | Failure]:
        """One search: our Tasks, then their outputs, fetched one by one where the server did not include them."""
        outputs: dict[str, None] = {}
        included: dict[str, SourceDocument] = {}
        for item in self.client.search("Task", params):
            if isinstance(item, Failure):
                yield item
                return
            if item.resource in OUTPUT_TYPES:
                included[f"{item.resource}/{item.record_id}"] = item
            elif item.resource == "Task" and _focus(item) in wanted:
                outputs |= dict.fromkeys(_outputs(item))
                yield item
            elif item.resource == "Task":
                yield _not_ours()
        for reference in outputs:
            document = included.get(reference) or self.client.read(*reference.split("/"))
            if isinstance(document, Refused):
                yield _unreadable()
                continue
            yield document
            if isinstance(document, Failure):
                return


def _query(focus: Sequence[str], since: int | None, *, includes: bool) -> dict[str, str]:
    params = {"focus": ",".join(focus), **since_parameter(since)}
    if includes:
        params["_include"] = INCLUDE
    return params


def _literal(reference: str) -> str:
    """Type and id of a reference, whatever stands around them: an absolute address, a version."""
    parts = reference.partition("/_history/")[0].rstrip("/").split("/")
    return "/".join(parts[-2:])


def _focus(task: SourceDocument) -> str | None:
    focus = task.body.get("focus")
    reference = focus.get("reference") if isinstance(focus, dict) else None
    return _literal(reference) if isinstance(reference, str) else None


def _outputs(task: SourceDocument) -> list[str]:
    """References to the kinds of output we read; Gravity allows more, which stay where they are."""
    listed: Any = task.body.get("output")
    found: list[str] = []
    for output in listed if isinstance(listed, list) else ():
        value = output.get("valueReference") if isinstance(output, dict) else None
        reference = value.get("reference") if isinstance(value, dict) else None
        if isinstance(reference, str) and _literal(reference).partition("/")[0] in OUTPUT_TYPES:
            found.append(_literal(reference))
    return found[:MAX_OUTPUTS]


def _not_ours() -> Issue:
    text = "The server sent a Task about a request that is not ours; it was not read."
    return Issue(severity=Severity.INFORMATION, code=IssueCode.NOT_OURS, path="Task.focus", text=text)


def _unreadable() -> Issue:
    text = "A Task names an output that cannot be read. Ask the partner to grant reading it."
    return Issue(
        severity=Severity.WARNING, code=IssueCode.UNRESOLVED_REFERENCE, path="Task.output", text=text
    )
