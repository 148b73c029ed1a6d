"""Addresses found in a partner's documents (discovery, `next` links): followed only where the partner itself lives."""

from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit


def origin_of(url: str) -> str:
    """Scheme, host and port, in lower case."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def own_address(base_url: str, url: Any, trusted: frozenset[str] = frozenset()) -> str | None:
    """An address found in a document, made absolute; None unless it stays at the base's origin or a trusted one.

    A host behind a TLS proxy often writes http: the base's scheme wins, so a token never goes out in clear.
    """
    if not isinstance(url, str) or not url:
        return None
    try:
        absolute = urljoin(base_url, url)
        base, parts = urlsplit(base_url), urlsplit(absolute)
        if parts.scheme == "http" and base.scheme == "https" and parts.hostname == base.hostname:
            absolute = urlunsplit(parts._replace(scheme="https", netloc=base.netloc))
        return absolute if origin_of(absolute) in {origin_of(base_url), *trusted} else None
    except ValueError:  # a bracket or a port that is none
        return None
