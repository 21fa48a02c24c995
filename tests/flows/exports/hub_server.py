"""A local server that speaks the wire form of the Hugging Face Hub, as far as a push of a data set and reading it back use it.

Large files go over LFS (set ``HF_HUB_DISABLE_XET``), or, where ``xet`` is a folder, by the client's own store of that name into it:
the server then knows their hashes alone. Repositories are kept in memory, so that they outlive a client that is killed.
It refuses what the Hub refuses: large files that were not uploaded or have another hash, a parent commit that the branch is no
longer at, tags that are there. ``faults`` are answered once, each in place of what the request would have got.
"""

import base64
import contextlib
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.flows.exports.hub_memory import Answer, Hub, Stored

_REPO = r"/api/datasets/(?P<name>[^/]+/[^/]+)"
_LARGE = (".parquet",)


def _missing(code: str) -> Answer:
    return Answer({"error": code}, 404, {"X-Error-Code": code})


def _validate(hub: Hub, _found: dict[str, str], data: bytes) -> Answer:
    content = json.loads(data)["content"]
    errors = [] if content.startswith("---\n") else [{"message": "no YAML header"}]
    return Answer({"errors": errors, "warnings": []}, 400 if errors else 200)


def _create(hub: Hub, _found: dict[str, str], data: bytes) -> Answer:
    asked = json.loads(data)
    name = f"{asked['organization'] or 'tester'}/{asked['name']}"
    there = {"url": f"{hub.url}/datasets/{name}"}
    if name in hub.repositories:
        return Answer(there | {"error": "You already created this dataset repo"}, 409)
    hub.repository(name, asked.get("visibility", "public"))
    return Answer(there)


def _info(hub: Hub, found: dict[str, str], _data: bytes) -> Answer:
    repository = hub.repositories[found["name"]]
    commit = repository.resolve(unquote(found.get("revision") or "main"))
    if commit is None:
        return _missing("RevisionNotFound")
    return Answer(
        {
            "id": found["name"],
            "sha": commit,
            "private": repository.visibility == "private",
            "gated": repository.gated,
            "disabled": False,
            "tags": [],
            "siblings": [{"rfilename": path} for path in sorted(repository.commits[commit])],
        }
    )


def _tree(hub: Hub, found: dict[str, str], _data: bytes) -> Answer:
    repository = hub.repositories[found["name"]]
    commit = repository.resolve(unquote(found["revision"]))
    if commit is None:
        return _missing("RevisionNotFound")
    below = (unquote(found["folder"] or "").strip("/") + "/").lstrip("/")
    files = {path: stored for path, stored in repository.commits[commit].items() if path.startswith(below)}
    if not files:
        return _missing("EntryNotFound")
    folders = sorted({path.rpartition("/")[0] for path in files if "/" in path.removeprefix(below)})
    listed = [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders]
    return Answer([*listed, *(stored.entry(path) for path, stored in sorted(files.items()))])


def _paths(hub: Hub, found: dict[str, str], data: bytes) -> Answer:
    repository, form = hub.repositories[found["name"]], parse_qs(data.decode())
    commit = repository.resolve(unquote(found["revision"]))
    if commit is None:
        return _missing("RevisionNotFound")
    files, listed = repository.commits[commit], list[dict[str, Any]]()
    for path in form["paths"]:
        if path in files:
            listed.append(files[path].entry(path))
        elif any(other.startswith(f"{path}/") for other in files):
            listed.append({"type": "directory", "path": path, "oid": "0" * 40, "size": 0})
    return Answer(listed)


def _preupload(hub: Hub, found: dict[str, str], data: bytes) -> Answer:
    repository = hub.repositories[found["name"]]
    files = repository.commits[repository.refs["main"]]
    return Answer(
        {
            "files": [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(_LARGE) else "regular",
                    "shouldIgnore": False,
                    "oid": files[file["path"]].oid if file["path"] in files else None,
                }
                for file in json.loads(data)["files"]
            ]
        }
    )


def _batch(hub: Hub, _found: dict[str, str], data: bytes) -> Answer:
    objects = []
    for asked in json.loads(data)["objects"]:
        links = {"upload": {"href": f"{hub.url}/lfs/{asked['oid']}"}, "verify": {"href": f"{hub.url}/verify/{asked['oid']}"}}
        objects.append({**asked, **({} if asked["oid"] in hub.objects else {"actions": links})})
    return Answer({"transfer": "basic", "objects": objects})


def _put(hub: Hub, found: dict[str, str], data: bytes) -> Answer:
    if hashlib.sha256(data).hexdigest() != found["oid"]:
        return Answer({"error": "other content"}, 400)
    hub.objects[found["oid"]] = data
    hub.puts[found["oid"]] += 1
    return Answer()


def _verify(hub: Hub, found: dict[str, str], _data: bytes) -> Answer:
    return Answer({}, 200 if found["oid"] in hub.objects else 404)


def _xet_token(hub: Hub, _found: dict[str, str], _data: bytes) -> Answer:
    return Answer({"casUrl": f"local://{hub.xet}", "exp": int(time.time()) + 3600, "accessToken": "of the store"})


def _commit(hub: Hub, found: dict[str, str], data: bytes) -> Answer:
    repository = hub.repositories[found["name"]]
    (_, head), *lines = [(line["key"], line["value"]) for line in map(json.loads, data.splitlines())]
    if head.get("parentCommit") not in (None, repository.refs["main"]):
        return Answer({"error": "A commit has happened since. Please refresh and try again."}, 412)
    files = dict(repository.commits[repository.refs["main"]])
    for key, value in lines:
        if key == "file":
            files[value["path"]] = hub.store(base64.b64decode(value["content"]))
        elif key == "lfsFile":
            if value["oid"] not in hub.objects and hub.xet is None:
                return Answer({"error": f"{value['path']} was not uploaded"}, 400)
            files[value["path"]] = Stored(value["oid"], value["size"], "0" * 40, is_large=True)
        elif key == "deletedFile":
            del files[value["path"]]
        else:
            return Answer({"error": f"no such operation: {key}"}, 400)
    oid = repository.commit(files, head["summary"])
    return Answer({"success": True, "commitUrl": f"{hub.url}/datasets/{found['name']}/commit/{oid}", "commitOid": oid})


def _tag(hub: Hub, found: dict[str, str], data: bytes) -> Answer:
    repository, tag = hub.repositories[found["name"]], json.loads(data)["tag"]
    if tag in repository.tags:
        return Answer({"error": f"Tag {tag} exists"}, 409)
    commit = repository.resolve(unquote(found["revision"]))
    if commit is None:
        return _missing("RevisionNotFound")
    repository.tags[tag] = commit
    return Answer({})


def _settings(hub: Hub, found: dict[str, str], data: bytes) -> Answer:
    for name, value in json.loads(data).items():
        setattr(hub.repositories[found["name"]], name, value)
    return Answer({})


def _resolve(hub: Hub, found: dict[str, str], _data: bytes) -> Answer:
    repository = hub.repositories[found["name"]]
    commit = repository.resolve(unquote(found["revision"]))
    if commit is None:
        return _missing("RevisionNotFound")
    if (stored := repository.commits[commit].get(unquote(found["path"]))) is None:
        return _missing("EntryNotFound")
    linked = {"X-Linked-Etag": f'"{stored.sha256}"', "X-Linked-Size": str(stored.size)} if stored.is_large else {}
    return Answer(hub.objects[stored.sha256], headers={"X-Repo-Commit": commit, "ETag": f'"{stored.oid}"', **linked})


_ROUTES: list[tuple[str, str, Callable[[Hub, dict[str, str], bytes], Answer]]] = [
    ("POST", r"/api/validate-yaml", _validate),
    ("POST", r"/api/repos/create", _create),
    ("POST", _REPO + r"/preupload/(?P<revision>[^/]+)", _preupload),
    ("POST", _REPO + r"/commit/main", _commit),
    ("POST", _REPO + r"/tag/(?P<revision>[^/]+)", _tag),
    ("PUT", _REPO + r"/settings", _settings),
    ("GET", _REPO + r"/revision/(?P<revision>[^/]+)", _info),
    ("GET", _REPO + r"/tree/(?P<revision>[^/]+)(?P<folder>/.+)?", _tree),
    ("POST", _REPO + r"/paths-info/(?P<revision>[^/]+)", _paths),
    ("GET", _REPO + r"/xet-write-token/main", _xet_token),
    ("GET", _REPO, _info),
    ("POST", r"/datasets/(?P<name>[^/]+/[^/]+)\.git/info/lfs/objects/batch", _batch),
    ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", _put),
    ("POST", r"/verify/(?P<oid>[0-9a-f]{64})", _verify),
    ("GET", r"/datasets/(?P<name>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)", _resolve),
]


def _answer(hub: Hub, method: str, path: str, data: bytes) -> Answer:
    for verb, pattern, route in _ROUTES:
        if verb == method.replace("HEAD", "GET") and (found := re.fullmatch(pattern, path)) is not None:
            named = found.groupdict()
            if "name" in named and named["name"] not in hub.repositories:
                return _missing("RepoNotFound")
            with hub.lock:
                return route(hub, named, data)
    return Answer({"error": f"no such address: {method} {path}"}, 400)


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            data = self._read()
            path = urlsplit(self.path).path
            token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
            with hub.lock:
                hub.log.append(f"{self.command} {path}")
                hub.tokens.update({token} - {""})
            fault = hub.fault(self.command, path)
            if fault is not None and fault.before is not None:
                fault.before()
            if hub.denied:
                answer = Answer({"error": f"Invalid token {token}"}, 401, {"X-Error-Message": f"Invalid token {token}"})
            elif fault is not None and fault.status:
                if fault.after:
                    _answer(hub, self.command, path, data)
                told = {"error": f"the token {token} has too much to do"} if fault.body is None else fault.body
                answer = Answer(told, fault.status, fault.headers)
            else:
                answer = _answer(hub, self.command, path, data)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # a client that was killed
                self._send(answer)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_POST(self) -> None:
            self.do_GET()

        def do_PUT(self) -> None:
            self.do_GET()

        def _read(self) -> bytes:
            if self.headers["Transfer-Encoding"] != "chunked":
                return self.rfile.read(int(self.headers["Content-Length"] or 0))
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data

        def _send(self, answer: Answer) -> None:
            is_json = not isinstance(answer.body, bytes)
            data = json.dumps(answer.body).encode() if is_json else answer.body
            if answer.status == 200 and (part := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")) is not None:
                start, end = int(part[1]), min(int(part[2] or len(data)), len(data) - 1)
                answer.status, answer.headers["Content-Range"] = 206, f"bytes {start}-{end}/{len(data)}"
                data = data[start : end + 1]
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json" if is_json else "text/plain", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)
            self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    return Handler


@contextlib.contextmanager
def serving() -> Iterator[Hub]:
    """Serve on loopback while the context is open."""
    hub = Hub()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub)) as server:
        server.daemon_threads = True
        hub.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield hub
        finally:
            server.shutdown()
