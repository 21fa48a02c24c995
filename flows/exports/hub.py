"""A data set repository on the Hugging Face Hub, by the Hub's own client.

Every failure is one of this project's errors, without the token: servers and proxies may echo it.
"""

import json
import logging
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from annotate.models.scrubbing import scrub
from contracts.errors import DataError, RecipeError, SetupError, StorageError
from storage.store_errors import in_one_line

T = TypeVar("T")
Gate = Literal["auto", "manual"]

MAIN: Final = "main"
HIDDEN: Final = ".gitattributes"
"""The Hub's own file in every repository: it says which files are large."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*")
_KIND: Final = "dataset"
_TRANSIENT: Final = frozenset({408, 412, 429, 500, 502, 503, 504})
"""Too slow, too many requests, defects of the server; 412: somebody else has committed since the repository was looked at."""
_DENIED: Final = frozenset({401, 403})
_MESSAGE_LENGTH: Final = 500
_LONGEST_WAIT_S: Final = 330.0
"""The Hub counts requests in windows of five minutes."""


class HubUnavailable(StorageError):
    """The Hub cannot be reached or is busy; the same request may succeed later.

    Attributes:
        wait_s: seconds that the Hub asks for; None = it does not say.
    """

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(frozen=True, kw_only=True)
class Visibility:
    """Who can see a repository.

    Attributes:
        public: everybody, not its owners alone.
        gate: how those who ask for the files get them; None = they need not ask.
    """

    public: bool
    gate: Gate | None


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """A file of a commit: size in bytes, and the sha256 if it is stored as a large file."""

    size_bytes: int
    sha256: str | None


class HubRepository:
    """A data set repository, which need not be there yet.

    All methods raise ``HubUnavailable`` where trying again may help, and otherwise ``SetupError`` where the token is refused,
    and ``StorageError``.
    """

    def __init__(self, name: str, *, endpoint: str | None = None) -> None:
        """Open a repository; nothing is asked yet.

        Args:
            name: ``ORG/NAME``.
            endpoint: address of the Hub; None = as ``HF_ENDPOINT`` says, or the public one.

        Raises:
            RecipeError: no repository can have that name.
            SetupError: there is no token.
        """
        import huggingface_hub
        from huggingface_hub.utils.tqdm import disable_progress_bars

        if not _NAME.fullmatch(name):
            raise RecipeError(f"--push {name!r}: a data set on the Hub is called ORG/NAME, of letters, digits and . _ -")
        token = huggingface_hub.get_token()
        if token is None:
            raise SetupError("the Hub needs a token that may write: set HF_TOKEN, or log in once by `hf auth login`")
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # its warnings name signed addresses
        if not sys.stderr.isatty():
            disable_progress_bars()
        self.name = name
        self._token = token
        self._api = huggingface_hub.HfApi(endpoint=endpoint, token=token)

    def url(self, revision: str) -> str:
        """Return the page of a revision."""
        return f"{self._api.endpoint}/datasets/{self.name}/tree/{revision}"

    def visibility(self) -> Visibility | None:
        """Return who can see it; None if it is not there, or the token may not see it."""
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            info = self._asked("looking for it", lambda: self._api.dataset_info(self.name), RepositoryNotFoundError)
        except RepositoryNotFoundError:
            return None
        return Visibility(public=not info.private, gate=info.gated or None)

    def create(self) -> None:
        """Create it, private; does nothing if it is there."""
        self._asked(
            "creating it", lambda: self._api.create_repo(self.name, repo_type=_KIND, visibility="private", exist_ok=True)
        )

    def set_visibility(self, wanted: Visibility) -> None:
        """Change who can see it; a gate is never taken away."""
        self._asked(
            "changing who can see it",
            lambda: self._api.update_repo_settings(
                self.name, repo_type=_KIND, visibility="public" if wanted.public else "private", gated=wanted.gate
            ),
        )

    def commit_of(self, revision: str) -> str | None:
        """Return the commit that a branch or tag names; None if there is no such branch or tag."""
        from huggingface_hub.errors import RevisionNotFoundError

        try:
            info = self._asked(
                f"looking for {revision}",
                lambda: self._api.dataset_info(self.name, revision=revision),
                RevisionNotFoundError,
            )
        except RevisionNotFoundError:
            return None
        return str(info.sha)

    def files(self, commit: str) -> dict[str, HubFile]:
        """Return path -> file of a commit, without the Hub's own."""
        from huggingface_hub.hf_api import RepoFile

        entries = self._asked(
            "listing its files",
            lambda: list(self._api.list_repo_tree(self.name, repo_type=_KIND, revision=commit, recursive=True)),
        )
        return {
            entry.path: HubFile(size_bytes=entry.size, sha256=None if entry.lfs is None else entry.lfs.sha256)
            for entry in entries
            if isinstance(entry, RepoFile) and entry.path != HIDDEN
        }

    def download(self, path: str, commit: str, folder: Path) -> Path:
        """Fetch a file of a commit into a folder and return its place there."""
        return Path(
            self._asked(
                f"reading {path}",
                lambda: self._api.hf_hub_download(self.name, path, repo_type=_KIND, revision=commit, local_dir=folder),
            )
        )

    def upload(self, folder: Path, message: str, *, parent: str, delete: list[str]) -> str:
        """Commit a folder to the main branch and return the commit; what is there already is not sent again.

        Args:
            folder: the files.
            message: of the commit; large folders take several.
            parent: commit that the main branch must be at.
            delete: files to delete there.

        Raises:
            DataError: the Hub refuses the card.
        """
        patterns = [_escaped(path) for path in delete]
        info = self._asked(
            "uploading",
            lambda: self._api.upload_folder(
                repo_id=self.name,
                repo_type=_KIND,
                folder_path=folder,
                commit_message=message,
                parent_commit=parent,
                delete_patterns=patterns or None,
            ),
        )
        return str(info.oid)

    def tag(self, name: str, commit: str) -> None:
        """Tag a commit.

        Raises:
            HubUnavailable: also if somebody else has just made the tag.
        """
        self._asked(f"tagging {name}", lambda: self._api.create_tag(self.name, repo_type=_KIND, tag=name, revision=commit))

    def _asked(self, doing: str, request: Callable[[], T], *expected: type[Exception]) -> T:
        """Return what the client returns; ``expected`` errors pass."""
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

        try:
            return request()
        except expected:
            raise
        # From None: what the errors hold, such as the request's headers, has the token.
        except OfflineModeIsEnabled:
            raise SetupError(f"{self.name}: {doing}: HF_HUB_OFFLINE forbids it; unset that variable") from None
        except HfHubHTTPError as error:
            raise self._error(doing, error) from None
        # A busy Hub answers with a page instead of JSON; the client of the store for large files gives up with RuntimeError.
        except (httpx2.TransportError, json.JSONDecodeError, RuntimeError, OSError) as error:
            raise HubUnavailable(self._message(doing, error, "run the same command again")) from None
        except ValueError as error:
            raise DataError(self._message(doing, error, "the Hub does not take this release")) from None

    def _error(self, doing: str, error: Any) -> StorageError | SetupError:
        status = error.response.status_code
        if status in _DENIED or (status == 404 and doing == "creating it"):
            return SetupError(self._message(doing, error, "use a token that may write there: set HF_TOKEN, or `hf auth login`"))
        if status in _TRANSIENT or (status == 409 and doing.startswith("tagging")):
            return HubUnavailable(self._message(doing, error, "run the same command again"), _wait_s(error.response.headers))
        return StorageError(self._message(doing, error, "see what the Hub says"))

    def _message(self, doing: str, error: BaseException, advice: str) -> str:
        told = scrub(in_one_line(error), self._token)[:_MESSAGE_LENGTH].rstrip(".")
        return f"{self.name} on the Hub: {doing}: {told}; {advice}"


def _wait_s(headers: Any) -> float | None:
    """Return the seconds that a busy Hub asks for, with one more against rounding."""
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    limit = parse_ratelimit_headers(headers)
    stated = str(limit.reset_in_seconds) if limit is not None and not limit.remaining else headers.get("Retry-After", "")
    return min(float(stated) + 1, _LONGEST_WAIT_S) if str(stated).isdecimal() else None


def _escaped(path: str) -> str:
    """Return the pattern that fits this path alone."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in path)
