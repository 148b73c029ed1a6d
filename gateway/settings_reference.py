"""The settings reference, generated from the one model that holds them (deploy/settings.md is its committed copy)."""

from pydantic_core import PydanticUndefined

from gateway.settings import PREFIX, Settings

HEAD = """# Settings

Generated from the code by `./planhub schema settings -o deploy/settings.md`; a test holds the two together. Each is an environment
variable. What a community configures about its agencies is not a setting: it stands in the community file (`planhub apply`).

| variable | default | meaning |
|---|---|---|
"""


def reference() -> str:
    """The whole page as Markdown."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = (
            "" if field.default is PydanticUndefined or field.default in {None, ()} else f"`{field.default}`"
        )
        rows.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return HEAD + "\n".join(rows) + "\n"
