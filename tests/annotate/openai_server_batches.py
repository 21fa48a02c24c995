"""Files and batches of the local OpenAI server."""

import json
import random
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.annotate.openai_wire_format import Sent, error

if TYPE_CHECKING:
    from tests.annotate.openai_server import Server


class Batches:
    """What was uploaded, and the batches made of it."""

    def __init__(self, server: "Server") -> None:
        self.known: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.cut = 0  # bytes of a file that are promised and not sent
        self._looks: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._server = server

    def upload(self, content: bytes) -> dict[str, Any]:
        """Keep a file."""
        with self._lock:
            file_id = f"file-{len(self.files)}"
            self.files[file_id] = content
        return {"id": file_id, "object": "file", "bytes": len(content), "created_at": 0, "filename": "f", "purpose": "batch"}

    def create(self, order: dict[str, Any]) -> Sent:
        """Accept a batch."""
        if order["input_file_id"] not in self.files:
            return error(400, None, "No such file")
        with self._lock:
            batch_id = f"batch_{len(self.known)}"
            self.known[batch_id] = {
                "id": batch_id,
                "object": "batch",
                "endpoint": order["endpoint"],
                "completion_window": order["completion_window"],
                "input_file_id": order["input_file_id"],
                "metadata": order.get("metadata"),
                "status": "validating",
                "created_at": len(self.known),
                "output_file_id": None,
                "error_file_id": None,
                "errors": None,
            }
            dropped = self._server.options.drop_create and len(self.known) == 1
        return Sent() if dropped else Sent(body=self.known[batch_id])

    def listed(self, limit: int, after: str | None) -> dict[str, Any]:
        """Return one page of batches, the youngest first."""
        with self._lock:
            ids = list(reversed(self.known))
            start = ids.index(after) + 1 if after else 0
            page = [self.known[each] for each in ids[start : start + limit]]
        return {"object": "list", "data": page, "has_more": start + limit < len(ids)}

    def look(self, batch_id: str) -> Sent:
        """Return a batch, a step further than at the last look."""
        with self._lock:
            if batch_id not in self.known:
                return error(404, None, f"No batch found with id '{batch_id}'.")
            batch = self.known[batch_id]
            self._looks[batch_id] += 1
            if batch["status"] in ("validating", "in_progress"):
                if self._server.options.batch_errors:
                    batch |= {"status": "failed", "errors": {"object": "list", "data": list(self._server.options.batch_errors)}}
                elif self._looks[batch_id] >= self._server.options.polls:
                    self._finish(batch)
                else:
                    batch["status"] = "in_progress"
            return Sent(body=dict(batch))

    def _finish(self, batch: dict[str, Any]) -> None:
        options, draw = self._server.options, random.Random(f"{self._server.options.seed}/{batch['id']}")
        good: list[str] = []
        bad: list[str] = []
        late = False
        for number, line in enumerate(self.files[batch["input_file_id"]].splitlines()):
            order = json.loads(line)
            assert order["method"] == "POST"
            assert order["url"] == "/v1/chat/completions"
            outcome: dict[str, Any] = {"id": f"r{number}", "custom_id": order["custom_id"], "response": None, "error": None}
            if draw.random() < options.expired:
                late = True
                outcome["error"] = {"code": "batch_expired", "message": "This request could not be executed in time."}
            elif draw.random() < options.refused:
                refused = error(400, "invalid_value", "Invalid audio").body
                outcome["response"] = {"status_code": 400, "request_id": "r", "body": refused}
            else:
                made = self._server.settle(order["body"], draw)
                outcome["response"] = {"status_code": 200, "request_id": "r", "body": made}
            text = json.dumps(outcome, ensure_ascii=False)
            if draw.random() < options.garbled:
                text = text[: len(text) // 2]
            answered = outcome["response"] is not None and outcome["response"]["status_code"] == 200
            times = 0 if draw.random() < options.missing else 2 if draw.random() < options.duplicated else 1
            (good if answered else bad).extend([text] * times)
        for lines, name in ((good, "output_file_id"), (bad, "error_file_id")):
            if options.shuffled:
                draw.shuffle(lines)
            if lines:
                batch[name] = self.upload("\n".join(lines).encode() + b"\n")["id"]
        batch["status"] = "expired" if late else "completed"
