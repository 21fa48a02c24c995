"""Signed tokens: invitations, sessions, and what binds a post to its session.

Nothing here is stored. A token carries how often its holder's links and sessions had been revoked when it was made; whoever
takes it compares that with what the store says now. Tokens of before that was so carry nothing, and count as 0.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from itsdangerous import BadData, URLSafeTimedSerializer

from contracts.errors import SetupError

LEAST_SECRET: Final = 16
INVITATION_S: Final = 90 * 86400
ADMIN_LINK_S: Final = 7 * 86400
SESSION_S: Final = 14 * 86400
ADMIN_SESSION_S: Final = 12 * 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """Who sends a request.

    Attributes:
        annotator_id: the listener; None = someone who runs the test.
        csrf: what a post of this session must carry.
        revoked: number of revocations at which it began.
    """

    annotator_id: str | None
    csrf: str
    revoked: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Invitation:
    """Whom a link lets in.

    Attributes:
        annotator_id: the listener; None = someone who runs the test.
        revoked: number of revocations at which it was made.
    """

    annotator_id: str | None
    revoked: int = 0


class Tokens:
    """Makes and reads all tokens of one test."""

    def __init__(self, secret: str) -> None:
        """Keep the key.

        Raises:
            SetupError: it is too short to be one.
        """
        if len(secret) < LEAST_SECRET:
            raise SetupError(f"the listening test's secret needs at least {LEAST_SECRET} characters: set a random one")
        self._secret = secret

    def invitation(self, annotator_id: str, revoked: int = 0) -> str:
        """Return the token of an annotator's link ``/i/<token>``."""
        return self._serializer("invitation").dumps([annotator_id, revoked])

    def invited(self, token: str) -> Invitation | None:
        """Return whose invitation a token is, None if it is none or too old."""
        said = self._read("invitation", token, INVITATION_S)
        annotator_id, revoked = (said, 0) if isinstance(said, str) else said or (None, 0)
        return None if annotator_id is None else Invitation(annotator_id=annotator_id, revoked=revoked)

    def admin_invitation(self, revoked: int = 0) -> str:
        """Return a token for ``/admin/i/<token>``."""
        return self._serializer("admin-link").dumps(["admin", revoked])

    def admin_invited(self, token: str) -> Invitation | None:
        """Return the invitation of those who run the test, None if a token is none or too old."""
        said = self._read("admin-link", token, ADMIN_LINK_S)
        return None if said is None else Invitation(annotator_id=None, revoked=0 if isinstance(said, str) else said[1])

    def session(self, annotator_id: str | None, revoked: int = 0) -> str:
        """Return a new session's cookie; None = of someone who runs the test."""
        nonce = secrets.token_urlsafe(16)
        if annotator_id is None:
            return self._serializer("admin-session").dumps([nonce, revoked])
        return self._serializer("session").dumps([annotator_id, nonce, revoked])

    def listener(self, cookie: str | None) -> Session | None:
        """Return the session of a listener's cookie, None if it is none."""
        said = self._read("session", cookie, SESSION_S)
        if not cookie or said is None:
            return None
        return Session(annotator_id=said[0], csrf=self._bound(cookie), revoked=said[2] if len(said) > 2 else 0)

    def admin(self, cookie: str | None) -> Session | None:
        """Return the session of the cookie of someone who runs the test, None if it is none."""
        said = self._read("admin-session", cookie, ADMIN_SESSION_S)
        if not cookie or said is None:
            return None
        return Session(annotator_id=None, csrf=self._bound(cookie), revoked=0 if isinstance(said, str) else said[1])

    def _bound(self, cookie: str | None) -> str:
        return hmac.new(f"csrf {self._secret}".encode(), (cookie or "").encode(), sha256).hexdigest()

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        # A salt for each purpose: an invitation is no session, a listener's session is no admin's.
        return URLSafeTimedSerializer(self._secret, salt=f"unisrm-data {purpose}", signer_kwargs={"digest_method": sha256})

    def _read(self, purpose: str, token: str | None, age_s: int) -> Any:
        if not token or not token.isascii():
            return None
        try:
            said, made = self._serializer(purpose).loads(token, return_timestamp=True)
        except BadData:
            return None
        # One from the future is ours all the same: the clock was set back since, and its listener is in the middle of an item.
        return said if (datetime.now(UTC) - made).total_seconds() <= age_s else None
