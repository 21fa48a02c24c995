"""The address of a listening test, and its owner's texts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from contracts.errors import RecipeError


@dataclass(frozen=True, kw_only=True)
class ListeningSite:
    """Address and texts of one listening test.

    Attributes:
        base_url: address of the test, such as ``https://listen.example.org``; posts of other origins are refused.
        title: name of the test.
        contact: whom to ask, such as an e-mail address.
        instructions: language of the interface -> text, with blank lines between paragraphs; without any text the app shows
            its own.
        consent: likewise, the text that a listener agrees to.
        pay: what a listener is paid, in words; empty = not shown.
        pay_per_item: what each answer is paid; None = not shown.
        currency: its currency, ISO 4217.
    """

    base_url: str
    title: str = "Listening test"
    contact: str = ""
    instructions: Mapping[str, str] = field(default_factory=dict)
    consent: Mapping[str, str] = field(default_factory=dict)
    pay: str = ""
    pay_per_item: float | None = None
    currency: str = "CNY"

    def __post_init__(self) -> None:
        """Check the address.

        Raises:
            RecipeError: it is not http(s)://host[:port], so no browser would send it as an origin.
        """
        parts = urlsplit(self.base_url)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.path.rstrip("/")
            or parts.query
            or parts.fragment
        ):
            raise RecipeError(
                f"the listening test's base_url {self.base_url!r} must look like https://host or http://host:8000"
            )

    @property
    def https(self) -> bool:
        """Whether the test is served over https, so that cookies can be restricted to it."""
        return urlsplit(self.base_url).scheme == "https"

    @property
    def origin(self) -> str:
        """The ``Origin`` that a browser sends: lower case, no path, no default port."""
        parts = urlsplit(self.base_url)
        host = (parts.hostname or "").lower()
        host = f"[{host}]" if ":" in host else host
        default = {"http": 80, "https": 443}[parts.scheme]
        return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, default) else "")
