"""Signed tokens: invitations, sessions, and CSRF tokens.

Tokens are not stored. A token carries the revocation count of its holder at its creation, and is void if the count in the store
is higher. Tokens of older versions carry no count, which is read as 0.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from itsdangerous import BadData, URLSafeTimedSerializer

from contracts.errors import SetupError

MIN_SECRET_CHARS: Final = 16
INVITATION_S: Final = 90 * 86400
ADMIN_LINK_S: Final = 7 * 86400
SESSION_S: Final = 14 * 86400
ADMIN_SESSION_S: Final = 12 * 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class WebSession:
    """The session of a request.

    Attributes:
        annotator_id: the listener; None = an admin.
        csrf: CSRF token that posts of this session must carry.
        revocation_count: revocation count at its start.
    """

    annotator_id: str | None
    csrf: str
    revocation_count: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Invitation:
    """The holder of an invitation link.

    Attributes:
        annotator_id: the listener; None = an admin.
        revocation_count: revocation count at its creation.
    """

    annotator_id: str | None
    revocation_count: int = 0


class Tokens:
    """Creates and reads all tokens of one test."""

    def __init__(self, secret: str) -> None:
        """Take the secret key.

        Raises:
            SetupError: it is too short.
        """
        if len(secret) < MIN_SECRET_CHARS:
            raise SetupError(f"the listening test's secret needs at least {MIN_SECRET_CHARS} characters: set a random one")
        self._secret = secret

    def invitation(self, annotator_id: str, revocation_count: int = 0) -> str:
        """Return the token of an annotator's link ``/i/<token>``."""
        return self._serializer("invitation").dumps([annotator_id, revocation_count])

    def read_invitation(self, token: str) -> Invitation | None:
        """Return the invitation of a token; None = it is invalid or too old."""
        payload = self._read("invitation", token, INVITATION_S)
        annotator_id, revocation_count = (payload, 0) if isinstance(payload, str) else payload or (None, 0)
        return None if annotator_id is None else Invitation(annotator_id=annotator_id, revocation_count=revocation_count)

    def admin_invitation(self, revocation_count: int = 0) -> str:
        """Return a token for ``/admin/i/<token>``."""
        return self._serializer("admin-link").dumps(["admin", revocation_count])

    def read_admin_invitation(self, token: str) -> Invitation | None:
        """Return the admin invitation of a token; None = it is invalid or too old."""
        payload = self._read("admin-link", token, ADMIN_LINK_S)
        return (
            None
            if payload is None
            else Invitation(annotator_id=None, revocation_count=0 if isinstance(payload, str) else payload[1])
        )

    def session(self, annotator_id: str | None, revocation_count: int = 0) -> str:
        """Return the cookie of a new session; ``annotator_id`` None = an admin's."""
        nonce = secrets.token_urlsafe(16)
        if annotator_id is None:
            return self._serializer("admin-session").dumps([nonce, revocation_count])
        return self._serializer("session").dumps([annotator_id, nonce, revocation_count])

    def read_session(self, cookie: str | None) -> WebSession | None:
        """Return the session of a listener's cookie; None = it is invalid or too old."""
        payload = self._read("session", cookie, SESSION_S)
        if not cookie or payload is None:
            return None
        return WebSession(
            annotator_id=payload[0], csrf=self._csrf_token(cookie), revocation_count=payload[2] if len(payload) > 2 else 0
        )

    def read_admin_session(self, cookie: str | None) -> WebSession | None:
        """Return the session of an admin's cookie; None = it is invalid or too old."""
        payload = self._read("admin-session", cookie, ADMIN_SESSION_S)
        if not cookie or payload is None:
            return None
        return WebSession(
            annotator_id=None, csrf=self._csrf_token(cookie), revocation_count=0 if isinstance(payload, str) else payload[1]
        )

    def _csrf_token(self, cookie: str | None) -> str:
        return hmac.new(f"csrf {self._secret}".encode(), (cookie or "").encode(), sha256).hexdigest()

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        # One salt per purpose, so that an invitation is no valid session, nor a listener's session an admin's.
        return URLSafeTimedSerializer(self._secret, salt=f"unisrm-data {purpose}", signer_kwargs={"digest_method": sha256})

    def _read(self, purpose: str, token: str | None, age_s: int) -> Any:
        if not token or not token.isascii():
            return None
        try:
            payload, made_at = self._serializer(purpose).loads(token, return_timestamp=True)
        except BadData:
            return None
        # A token from the future is valid: the clock was set back, and its listener may be in the middle of an item.
        return payload if (datetime.now(UTC) - made_at).total_seconds() <= age_s else None
