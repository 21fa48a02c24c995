"""What a test tells its listeners about itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from contracts.errors import RecipeError


@dataclass(frozen=True, kw_only=True)
class Site:
    """The words of one listening test that are its owner's, and its address.

    Attributes:
        base_url: address at which listeners reach it, such as ``https://listen.example.org``; posts from elsewhere are refused.
        title: name of the test.
        contact: whom to ask, such as an e-mail address.
        instructions: language of the interface -> text, paragraphs parted by blank lines; a language that lacks one gets the
            app's own words.
        consent: likewise, what a listener agrees to.
        pay: what a listener gets; empty = nothing is said.
    """

    base_url: str
    title: str = "Listening test"
    contact: str = ""
    instructions: Mapping[str, str] = field(default_factory=dict)
    consent: Mapping[str, str] = field(default_factory=dict)
    pay: str = ""

    def __post_init__(self) -> None:
        """Refuse an address that no browser would send as an origin.

        Raises:
            RecipeError: it is not http(s)://host[:port].
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
        """Whether cookies may be bound to encrypted connections."""
        return urlsplit(self.base_url).scheme == "https"

    @property
    def origin(self) -> str:
        """Return what a browser sends as ``Origin``: lower case, no path, no default port."""
        parts = urlsplit(self.base_url)
        host = (parts.hostname or "").lower()
        host = f"[{host}]" if ":" in host else host
        default = {"http": 80, "https": 443}[parts.scheme]
        return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, default) else "")
