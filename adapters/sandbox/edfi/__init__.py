"""A small Ed-Fi API: `with EdFiSandbox(documents) as district: …district.base_url…`."""

from adapters.sandbox.edfi.flavor import Flavor
from adapters.sandbox.edfi.sandbox import CLIENT_ID, CLIENT_SECRET, EdFiSandbox

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "EdFiSandbox", "Flavor"]
