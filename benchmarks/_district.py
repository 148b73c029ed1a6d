"""Make the generated district and give it out: the OneRoster package as a file, or the Ed-Fi API on loopback.

A process of its own, so that what it holds is not counted against the one that imports.
"""

import json
import sys
from pathlib import Path

from adapters.sandbox.city import City, edfi_documents, oneroster_zip
from adapters.sandbox.edfi import CLIENT_ID, CLIENT_SECRET, EdFiSandbox


def write_package(path: Path, children: int) -> None:
    """The district as a OneRoster 1.2 package."""
    path.write_bytes(oneroster_zip(City.build(children=children)))
    say({"file": str(path)})


def serve_api(children: int) -> None:
    """The district behind the sandbox's Ed-Fi API until standard input closes."""
    documents = edfi_documents(City.build(children=children))
    with EdFiSandbox(documents) as sandbox:
        say(
            {
                "url": sandbox.base_url,
                "id": CLIENT_ID,
                "secret": CLIENT_SECRET,
                "resources": [f"ed-fi/{name}" for name in documents],
                "documents": sum(map(len, documents.values())),
            }
        )
        sys.stdin.read()


def say(told: dict[str, object]) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "package":
        write_package(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        serve_api(int(sys.argv[2]))
