"""The order in which resources may be loaded, as `urls.dependencies` tells it (school.md §1.5)."""

from collections.abc import Iterable, Mapping
from typing import Any

from adapters.sandbox.edfi import keys
from adapters.sandbox.edfi.keys import Document

# A student, contact or staff member may be created at once, but changed only when an association ties them to an
# education organisation of the caller's.
_PERSONS = {
    "students": "studentSchoolAssociations",
    "contacts": "studentContactAssociations",
    "parents": "studentParentAssociations",
    "staffs": "staffEducationOrganizationAssignmentAssociations",
}


def order(documents: Mapping[str, Iterable[Document]]) -> list[dict[str, Any]]:
    """`[{resource, order, operations}]`: each resource after everything it refers to; persons twice."""
    needs = {resource: _needs(resource, items, documents) for resource, items in documents.items()}
    level: dict[str, int] = {}
    for resource in needs:
        _settle(resource, needs, level, ())
    found = []
    for resource, place in level.items():
        project, _, plural = resource.rpartition("/")
        path = f"/{project or 'ed-fi'}/{plural}"
        tie = _PERSONS.get(plural)
        if tie in level:
            found.append({"resource": path, "order": place, "operations": ["Create"]})
            found.append({"resource": path, "order": level[tie] + 1, "operations": ["Update"]})
        else:
            found.append({"resource": path, "order": place, "operations": ["Create", "Update"]})
    return sorted(found, key=lambda row: (row["order"], row["resource"]))


def _needs(resource: str, items: Iterable[Document], documents: Mapping[str, Iterable[Document]]) -> set[str]:
    served = {keys.singular(name): name for name in documents}
    members = {name for document in items for name in document} | set(keys.members(resource))
    references = [name for name in members if name.endswith("Reference")]
    found = {target for name in references for target, _key in keys.targets(name, {}, served)}
    return found - {resource}


def _settle(
    resource: str, needs: Mapping[str, set[str]], level: dict[str, int], above: tuple[str, ...]
) -> int:
    if resource not in level and resource not in above:
        deeper = [_settle(need, needs, level, (*above, resource)) for need in sorted(needs[resource])]
        level[resource] = 1 + max(deeper, default=0)
    return level.get(resource, 0)
