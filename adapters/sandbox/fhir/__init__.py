"""A small FHIR R4 server: `with FhirSandbox(resources) as clinic: …clinic.base_url…`."""

from adapters.sandbox.fhir.outcome import RefusedError
from adapters.sandbox.fhir.sandbox import FhirSandbox

__all__ = ["FhirSandbox", "RefusedError"]
