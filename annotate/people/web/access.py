"""Access control: sessions, CSRF and origin checks of posts, limits, and security headers."""

import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from anyio import CapacityLimiter, fail_after, to_thread
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from annotate.people.store.annotators import ADMIN
from annotate.people.store.store_records import Annotator
from annotate.people.store.vote_store import Store
from annotate.people.web.buckets import Buckets, client_network
from annotate.people.web.site import ListeningSite
from annotate.people.web.tokens import ADMIN_SESSION_S, SESSION_S, Tokens, WebSession

MAX_BODY_BYTES: Final = 16 * 1024
BODY_TIMEOUT_S: Final = 15.0
THREADS: Final = 6
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'self'; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class Posted(BaseModel):
    """Base model of post bodies: no extra fields, no conversion of types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Denied(HTTPException):
    """A refused request, with a reason code for which the interface has a text."""

    def __init__(self, status: int, reason: str, *, wait_s: float = 0.0) -> None:
        super().__init__(status, reason)
        self.wait_s = wait_s


class SecurityHeaders:
    """ASGI middleware that adds security headers to every response."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = {**HEADERS, **({"strict-transport-security": "max-age=31536000"} if https else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("cache-control", "no-cache" if scope["path"].startswith("/static/") else "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Access:
    """Access control of one test."""

    def __init__(self, store: Store, tokens: Tokens, site: ListeningSite, failures: Buckets) -> None:
        self.store = store
        self.tokens = tokens
        self.site = site
        self._failures = failures
        # More threads would compete for the interpreter and make no response faster.
        self._threads = CapacityLimiter(THREADS)
        self._votes = CapacityLimiter(THREADS)
        # With this prefix, browsers accept the cookie only from this host and over https.
        prefix = "__Host-" if site.https else ""
        self.listener_cookie = f"{prefix}listener"
        self.admin_cookie = f"{prefix}admin"

    def failed(self, request: Request) -> None:
        """Count a failed sign-in. Valid links are not counted, as they cannot be guessed.

        Raises:
            Denied: 429, the client's network has too many failed sign-ins.
        """
        if wait_s := self._failures.take(client_network(request.client.host if request.client else "")):
            raise Denied(429, "slow", wait_s=wait_s)

    async def invited(self, token: str) -> Annotator | None:
        """Return the annotator of an invitation token; None = it is invalid, too old or revoked."""
        invitation = self.tokens.read_invitation(token)
        if invitation is None:
            return None
        annotator = await self.call_store(self.store.annotator, str(invitation.annotator_id))
        works = (
            annotator is not None and not annotator.is_imported and annotator.revocation_count == invitation.revocation_count
        )
        return annotator if works else None

    async def admin_invited(self, token: str) -> bool:
        """Return whether a token is a valid admin invitation."""
        invitation = self.tokens.read_admin_invitation(token)
        return invitation is not None and invitation.revocation_count == await self.call_store(
            self.store.revocation_count, ADMIN
        )

    async def start_session(self, address: str, annotator: Annotator | None) -> RedirectResponse:
        """Start a session and redirect to an address without the token; ``annotator`` None = an admin's session."""
        listens, annotator_id = annotator is not None, annotator.annotator_id if annotator else None
        revocation_count = (
            annotator.revocation_count if annotator else await self.call_store(self.store.revocation_count, ADMIN)
        )
        response = RedirectResponse(address, status_code=303)
        response.set_cookie(
            self.listener_cookie if listens else self.admin_cookie,
            self.tokens.session(annotator_id, revocation_count),
            max_age=SESSION_S if listens else ADMIN_SESSION_S,
            httponly=True,
            samesite="lax",
            secure=self.site.https,
        )
        return response

    async def listener(self, request: Request, *, votes: bool = False) -> tuple[WebSession, Annotator]:
        """Return the session of a request and its annotator; ``votes`` = in the threads reserved for votes.

        Raises:
            Denied: 401, there is no such session or annotator, or it was revoked.
        """
        session = self.tokens.read_session(request.cookies.get(self.listener_cookie))
        if session is None:
            raise Denied(401, "session")
        call = self.write_vote if votes else self.call_store
        annotator = await call(self.store.annotator, str(session.annotator_id))
        if annotator is None or annotator.revocation_count != session.revocation_count:
            raise Denied(401, "session")
        return session, annotator

    async def admin(self, request: Request) -> WebSession:
        """Return the admin session of a request.

        Raises:
            Denied: 404, there is none, or it was revoked; others must not learn that this page exists.
        """
        session = self.tokens.read_admin_session(request.cookies.get(self.admin_cookie))
        if session is None or session.revocation_count != await self.call_store(self.store.revocation_count, ADMIN):
            raise Denied(404, "missing")
        return session

    async def posted(self, request: Request, session: WebSession, shape: type[M]) -> M:
        """Return the validated body of a post of this session.

        Raises:
            Denied: 403, it may come from another site or session; 408, it does not arrive in time; 413, it is too long; 415,
                422, it is no valid JSON of this shape.
        """
        if request.headers.get("origin") != self.site.origin:
            raise Denied(403, "origin")
        if not hmac.compare_digest(request.headers.get("x-csrf-token", "").encode(), session.csrf.encode()):
            raise Denied(403, "session")
        if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
            raise Denied(415, "other")
        try:
            return shape.model_validate(_storable(json.loads(await _body(request))))
        except (ValidationError, ValueError, RecursionError):
            raise Denied(422, "form") from None

    async def call_store(self, method: Callable[..., T], *args: Any) -> T:
        """Call a blocking method of the store in a thread."""
        return await to_thread.run_sync(method, *args, limiter=self._threads)

    async def write_vote(self, method: Callable[..., T], *args: Any) -> T:
        """Call a method of the store in the threads reserved for votes, so that votes do not wait for other requests."""
        return await to_thread.run_sync(method, *args, limiter=self._votes)


async def _body(request: Request) -> bytes:
    if int(request.headers.get("content-length", "0")) > MAX_BODY_BYTES:
        raise Denied(413, "other")
    body = bytearray()
    try:
        with fail_after(BODY_TIMEOUT_S):
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_BODY_BYTES:
                    raise Denied(413, "other")
    except TimeoutError:
        raise Denied(408, "other") from None
    except ClientDisconnect:
        raise Denied(400, "other") from None  # the client is gone, so nobody reads this response
    return bytes(body)


def _storable(value: Any) -> Any:
    """Return a posted value if a database can store it.

    Raises:
        ValueError: it contains half a surrogate pair, or a NUL, at which PostgreSQL aborts the shared transaction.
    """
    if "\\u0000" in json.dumps(value, ensure_ascii=False).encode().decode():
        raise ValueError("a NUL stands in it")
    return value
