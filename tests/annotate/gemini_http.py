"""The HTTP of the local Gemini server: which path means what, and how answers and broken ones leave."""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.annotate.gemini_replies import Answer, error


def handler(seen: Any) -> type[BaseHTTPRequestHandler]:
    """Return what answers the connections of a server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            data = self.rfile.read(length)
            if len(data) < length:  # the client was killed while it sent
                self.close_connection = True
                return
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            if url.path == "/upload/v1beta/files":
                if "upload_id" in query:
                    self.send(seen.files.append(query["upload_id"], self.headers, data))
                else:
                    self.send(seen.files.start(self.headers, json.loads(data or b"{}")))
            elif url.path.endswith(":generateContent"):
                self.generate(json.loads(data))
            elif url.path.endswith(":batchGenerateContent"):
                model = url.path.rpartition("/")[2].partition(":")[0]
                self.send(seen.jobs.create(model, json.loads(data)))
            elif url.path.endswith(":cancel"):
                self.send(seen.jobs.cancel(url.path.removeprefix("/v1beta/").removesuffix(":cancel")))
            else:
                self.send(Answer(404, error(404, "NOT_FOUND", "no such method")))

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            name = url.path.removeprefix("/v1beta/")
            if url.path == "/counters":
                self.send(Answer(body=seen.counters()))
            elif name == "batches":
                self.send(seen.jobs.list(int(query.get("pageSize", 50)), query.get("pageToken", "")))
            elif name.startswith("batches/"):
                self.send(seen.jobs.get(name))
            elif name.startswith("models/") and seen.models is not None:
                self.send(seen.models(self.headers["x-goog-api-key"]))
            elif name.startswith("files/"):
                answer = seen.files.get(name)
                if self.send(answer) and not answer.cut:
                    seen.delivered(url.path)
            else:
                self.send(Answer(404, error(404, "NOT_FOUND", "no such method")))

        def do_DELETE(self) -> None:
            self.send(seen.files.delete(urlsplit(self.path).path.removeprefix("/v1beta/")))

        def generate(self, body: dict[str, Any]) -> None:
            name, nth, number = seen.arrive(body, self.headers["x-goog-api-key"], self.path)
            try:
                answer = seen.decide(body, name, nth, number)
                if self.send(answer) and answer.status == 200 and not answer.cut and answered(answer.body):
                    with seen.lock:
                        seen.answered[name] += 1
            finally:
                with seen.lock:
                    seen.at_once -= 1

        def send(self, answer: Answer) -> bool:
            """Send an answer; tell whether all of it left."""
            time.sleep(answer.delay_s)
            if answer.body is None:
                self.close_connection = True
                return False
            data = answer.body if isinstance(answer.body, bytes | str) else json.dumps(answer.body)
            data = data.encode() if isinstance(data, str) else data
            try:
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) - answer.cut])
                self.wfile.flush()
            except (BrokenPipeError, ConnectionResetError):  # a client that was killed or gave up
                self.close_connection = True
                return False
            self.close_connection = self.close_connection or bool(answer.cut)
            return True

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    return Handler


def answered(body: Any) -> bool:
    """Tell whether a body with status 200 is an answer."""
    return isinstance(body, dict) and ("candidates" in body or "promptFeedback" in body)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a defect of the server, but not a client that went away."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
