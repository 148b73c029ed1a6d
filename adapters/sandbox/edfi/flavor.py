"""Where two generations of the Ed-Fi API keep things: ODS/API 7.3, and Ed-Fi API v8 (school.md §1.1 and §1.2)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Flavor(StrEnum):
    """Which API the sandbox is."""

    V73 = "v7.3"
    V8 = "v8"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below the base address, and how the host introduces itself."""

    data: str
    token: str
    metadata: str
    resources: str
    descriptors: str
    dependencies: str
    changes: str
    problem_type: str
    about: tuple[tuple[str, str], ...]
    version: str


LAYOUTS = {
    Flavor.V73: Layout(
        data="/data/v3/",
        token="/oauth/token",  # noqa: S106 - a path, not a secret
        metadata="/metadata/",
        resources="/metadata/data/v3/resources/swagger.json",
        descriptors="/metadata/data/v3/descriptors/swagger.json",
        dependencies="/metadata/data/v3/dependencies",
        changes="/changeQueries/v1/",
        problem_type="application/json; charset=utf-8",
        about=(("informationalVersion", "7.3"), ("suite", "3"), ("build", "7.3.20260.1")),
        version="7.3",
    ),
    Flavor.V8: Layout(
        data="/data",
        token="/connect/token",  # noqa: S106 - a path, not a secret
        metadata="/metadata/specifications",
        resources="/metadata/specifications/resources-spec.json",
        descriptors="/metadata/specifications/descriptors-spec.json",
        dependencies="/metadata/dependencies",
        changes="/changeQueries/v1/",
        problem_type="application/problem+json",
        about=(
            ("informationalVersion", "8.0.0"),
            ("applicationName", "Sandbox of the Ed-Fi API"),
        ),
        version="8.0",
    ),
}


def discovery(flavor: Flavor, base: str, *, change_queries: bool) -> dict[str, Any]:
    """The document at the base address. v8 writes no slash at the end of `dataManagementApi`; 7.3 does."""
    layout = LAYOUTS[flavor]
    urls = {
        "dependencies": base + layout.dependencies,
        "openApiMetadata": base + layout.metadata,
        "oauth": base + layout.token,
        "dataManagementApi": base + layout.data,
        "xsdMetadata": f"{base}/metadata/xsd",
    }
    if change_queries:
        urls["changeQueries"] = base + layout.changes
    if flavor is Flavor.V8:
        urls["tokenInfo"] = f"{base}/oauth/token_info"
    model = {"name": "Ed-Fi", "version": "5.2.0", "informationalVersion": "The Ed-Fi Data Model 5.2"}
    return {"version": layout.version, **dict(layout.about), "dataModels": [model], "urls": urls}


def specifications(flavor: Flavor, base: str) -> list[dict[str, str]]:
    """The list at `urls.openApiMetadata`."""
    layout = LAYOUTS[flavor]
    return [
        {"name": "Resources", "endpointUri": base + layout.resources, "prefix": ""},
        {"name": "Descriptors", "endpointUri": base + layout.descriptors, "prefix": ""},
    ]
