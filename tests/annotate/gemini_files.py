"""The Files API of the local Gemini server: resumable uploads, states, expiry, downloads of what the server made."""

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.annotate.gemini_replies import Answer, error


@dataclass
class StoredFile:
    """One file: ``polls`` more looks at it find it in the state PROCESSING."""

    name: str
    display_name: str
    mime_type: str
    data: bytearray = field(default_factory=bytearray)
    made_here: bool = False
    polls: int = 0
    until: float = 0.0


@dataclass
class FileStore:
    """All files of the server.

    Attributes:
        lifetime_s: how long a file lives.
        polls: how often a new file is found in the state PROCESSING.
        ends_in: the state after that.
        refuse: answer to the next uploads, one each; then they work again.
        torn: how many of the next downloads end in the middle.
        uploads: display names of all finished uploads, in order.
    """

    url: str = ""
    lifetime_s: float = 48 * 3600.0
    polls: int = 0
    ends_in: str = "ACTIVE"
    refuse: list[Answer] = field(default_factory=list)
    torn: int = 0
    uploads: list[str] = field(default_factory=list)
    files: dict[str, StoredFile] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.Lock)

    def start(self, headers: Any, body: dict[str, Any]) -> Answer:
        """Begin an upload."""
        with self.lock:
            if self.refuse:
                return self.refuse.pop(0)
            name = f"files/f{len(self.files):08d}"
            described = body.get("file", {})
            kind = headers["X-Goog-Upload-Header-Content-Type"]
            self.files[name] = StoredFile(name, described.get("displayName") or described.get("display_name", ""), kind)
        address = f"{self.url}/upload/v1beta/files?upload_id={name.removeprefix('files/')}&upload_protocol=resumable"
        return Answer(body={}, headers={"X-Goog-Upload-URL": address, "X-Goog-Upload-Status": "active"})

    def append(self, upload_id: str, headers: Any, data: bytes) -> Answer:
        """Take a piece of an upload, in its place."""
        file = self.files[f"files/{upload_id}"]
        if int(headers["X-Goog-Upload-Offset"]) != len(file.data):
            return Answer(400, error(400, "INVALID_ARGUMENT", "wrong offset"))
        file.data += data
        if "finalize" not in headers["X-Goog-Upload-Command"]:
            return Answer(body={}, headers={"X-Goog-Upload-Status": "active"})
        with self.lock:
            file.until, file.polls = time.time() + self.lifetime_s, self.polls
            self.uploads.append(file.display_name)
        return Answer(body={"file": self.described(file)}, headers={"X-Goog-Upload-Status": "final"})

    def make(self, data: bytes) -> str:
        """Store a file of the server's own, and return its name."""
        with self.lock:
            name = f"files/batch{len(self.files):08d}"
            self.files[name] = StoredFile(
                name, "", "application/jsonl", bytearray(data), made_here=True, until=time.time() + self.lifetime_s
            )
        return name

    def alive(self, name: str) -> StoredFile | None:
        """Return a file that was uploaded whole and has not expired."""
        file = self.files.get(name)
        return file if file is not None and file.until > time.time() else None

    def described(self, file: StoredFile) -> dict[str, Any]:
        """Return a file as the API describes it."""
        now = datetime.now(UTC)
        until = now + timedelta(seconds=file.until - time.time())
        state = "PROCESSING" if file.polls > 0 else self.ends_in
        described = {
            "name": file.name,
            "displayName": file.display_name,
            "mimeType": file.mime_type,
            "sizeBytes": str(len(file.data)),
            "createTime": now.isoformat(),
            "expirationTime": until.isoformat(),
            "uri": f"https://generativelanguage.googleapis.com/v1beta/{file.name}",
            "state": state,
            "source": "GENERATED" if file.made_here else "UPLOADED",
        }
        return described | ({"downloadUri": f"{self.url}/v1beta/{file.name}:download?alt=media"} if file.made_here else {})

    def get(self, name: str) -> Answer:
        """Look at a file, or download it (``files/x:download``)."""
        name, _, verb = name.partition(":")
        file = self.alive(name)
        if file is None:
            return gone(name)
        if verb == "download":
            if not file.made_here:
                return Answer(400, error(400, "INVALID_ARGUMENT", "Only generated files can be downloaded."))
            self.torn, cut = max(0, self.torn - 1), len(file.data) // 2 if self.torn else 0
            return Answer(body=bytes(file.data), cut=cut)
        answer = Answer(body=self.described(file))
        file.polls -= 1
        return answer

    def delete(self, name: str) -> Answer:
        """Delete a file."""
        return Answer(body={}) if self.files.pop(name, None) else gone(name)

    def resolve(self, uri: str) -> bytes | None:
        """Return the bytes behind an address; None if the file is gone."""
        file = self.alive(uri[uri.index("files/") :])
        return None if file is None else bytes(file.data)


def gone(name: str) -> Answer:
    """Return what the API says of a file that is gone: 403, as if it were someone else's (python-genai#1218)."""
    message = f"You do not have permission to access the File {name.removeprefix('files/')} or it may not exist."
    return Answer(403, error(403, "PERMISSION_DENIED", message))
