"""Who is calling and what the token lets them try. Every route names its scope here; a shape test holds it to that.

A scope lets an agency's system knock. Whether a child's record opens is the family's decision, made at each read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Path, Request
from fastapi.security.utils import get_authorization_scheme_param

from consent.vocabulary import Purpose
from gateway.exchange.context import Hub
from gateway.exchange.tokens import Caller, TokenReader
from gateway.problems import Problem, ProblemKind
from gateway.store import clients, people
from gateway.store.clients import Scope
from gateway.store.epochs import NOBODY
from gateway.store.pipeline import batch


def hub_of(request: Request) -> Hub:
    """The hub this application was built around."""
    hub: Hub = request.app.state.hub
    return hub


HubDep = Annotated[Hub, Depends(hub_of)]


Authorization = Annotated[str | None, Header()]


def _admit(request: Request, authorization: str | None, scope: Scope, ref: str | None = None) -> "Asking":
    """Who is calling and whom the reference means, in one round trip; ends the request with 401 or 403."""
    hub = hub_of(request)
    reader: TokenReader = request.app.state.tokens
    scheme, token = get_authorization_scheme_param(authorization)
    caller = reader.read(token, hub.clock()) if scheme.lower() == "bearer" else None
    if caller is None:
        raise _unknown_caller()
    with hub.db.transaction() as conn, batch(conn, alone=True) as statements:
        active = clients.ask_active(statements, caller.client_id, caller.org)
        meant = None if ref is None else people.ask_child(statements, caller.org, ref)
    if not active.fetchall():
        raise _unknown_caller()
    if scope.value not in caller.scopes:
        raise Problem(ProblemKind.SCOPE, f"This needs the scope {scope.value}.")
    found = None if meant is None else meant.fetchone()
    return Asking(hub, caller, NOBODY if found is None else found[0])


def _unknown_caller() -> Problem:
    return Problem(
        ProblemKind.UNAUTHENTICATED,
        "Get a token at /oauth/token with a signed client assertion; tokens last 300 seconds.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def needs(scope: Scope) -> Any:
    """The dependency that yields the caller, or ends the request with 401 or 403. A client that was removed is out at once."""

    def allowed(request: Request, authorization: Authorization = None) -> Caller:
        return _admit(request, authorization, scope).caller

    return _naming(scope, allowed)


def _naming(scope: Scope, dependency: Callable[..., Any]) -> Any:
    dependency.__dict__["scope"] = scope
    return Depends(dependency)


PurposeHeader = Annotated[
    str | None, Header(alias="Purpose-Of-Use", description="Why; needed where the client has several.")
]


def purpose_of(caller: Caller, asked: str | None) -> Purpose:
    """The purpose of this request: what was asked, held against the client's registration. Never a default to more."""
    given = asked or (next(iter(caller.purposes)) if len(caller.purposes) == 1 else None)
    if given is None:
        raise Problem(
            ProblemKind.PURPOSE, "Say why with the Purpose-Of-Use header; your client has several purposes."
        )
    if given not in caller.purposes or given not in set(Purpose):
        raise Problem(ProblemKind.PURPOSE, "Your client is not registered for that purpose of use.")
    return Purpose(given)


ChildRef = Annotated[
    str, Path(pattern=r"^[a-z2-7]{26}$", description="The child, by your agency's own reference.")
]


@dataclass(frozen=True, slots=True)
class Asking:
    """A caller about a child: for a reference that is not the caller's own, nobody, who is asked about all the same."""

    hub: Hub
    caller: Caller
    child: UUID


@dataclass(frozen=True, slots=True)
class Knock:
    """Somebody about a child, not yet let in: there is no way to hub, caller or child but `enter`."""

    _request: Request
    _authorization: str | None
    _scope: Scope
    _ref: str

    def enter(self) -> Asking:
        """Who is calling and about whom, or the request ends with 401 or 403.

        A step of the route's own and not of its dependency: the two would be two trips to a worker thread.
        """
        return _admit(self._request, self._authorization, self._scope, self._ref)


def asks_about_a_child(scope: Scope) -> Any:
    """As `needs`, on a route with `{ref}`: whoever knocks about the child the reference names."""

    async def knocking(request: Request, ref: ChildRef, authorization: Authorization = None) -> Knock:
        return Knock(request, authorization, scope, ref)

    return _naming(scope, knocking)


def known_child(hub: Hub, caller: Caller, ref: str) -> UUID:
    """The child a reference names, where something is to be written; ends the request where it is not the caller's own."""
    with hub.db.transaction() as conn:
        child = people.child_of(conn, caller.org, ref)
    if child == NOBODY:
        raise nothing_here()
    return child


def nothing_here() -> Problem:
    """The one answer for "no such child", "not permitted" and "not yours"."""
    return Problem(
        ProblemKind.NOT_FOUND, "Either it does not exist or you may not see it; the answer is the same."
    )
