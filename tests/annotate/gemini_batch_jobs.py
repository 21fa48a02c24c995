"""The batch API of the local Gemini server: jobs over uploaded files, with shuffled and damaged results."""

import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.annotate.gemini_files import FileStore
from tests.annotate.gemini_replies import Answer, error


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """What becomes of a batch.

    Attributes:
        seed: draws what follows.
        polls: how often it is found running before it ends.
        seconds: how long it runs at least.
        state: how it ends, without ``BATCH_STATE_``.
        finished: share of its lines with a result.
        error: google.rpc status with which it fails as a whole, without any result.
        failing: share of the finished lines with an error in place of a reply.
        line_error: that error.
        duplicated: share of the finished lines that come twice.
        malformed: share of the finished lines that are cut in the middle.
        unknown_keys: lines with keys that nobody asked for.
        refuse: answer to the call that creates it, which then does nothing.
        accept_and_drop: the batch is created, but the connection ends before the reply.
    """

    seed: int = 0
    polls: int = 1
    seconds: float = 0.0
    state: str = "SUCCEEDED"
    finished: float = 1.0
    error: dict[str, Any] | None = None
    failing: float = 0.0
    line_error: dict[str, Any] = field(default_factory=lambda: {"code": 13, "message": "internal"})
    duplicated: float = 0.0
    malformed: float = 0.0
    unknown_keys: int = 0
    refuse: Answer | None = None
    accept_and_drop: bool = False


@dataclass
class Job:
    """One batch."""

    name: str
    display_name: str
    model: str
    file_name: str
    plan: BatchPlan
    created: float
    polls: int = 0
    state: str = "PENDING"
    results: str | None = None
    delivered: list[str] = field(default_factory=list)

    def described(self) -> dict[str, Any]:
        """Return it as the API does: a long-running operation."""
        over = self.state not in ("PENDING", "RUNNING")
        stamp = datetime.fromtimestamp(self.created, UTC).isoformat()
        metadata: dict[str, Any] = {
            "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
            "model": f"models/{self.model}",
            "displayName": self.display_name,
            "inputConfig": {"fileName": self.file_name},
            "state": f"BATCH_STATE_{self.state}",
            "createTime": stamp,
            "updateTime": stamp,
            "name": self.name,
        }
        operation: dict[str, Any] = {"name": self.name, "metadata": metadata}
        if self.results is not None:
            metadata["output"] = {"responsesFile": self.results}
            operation["response"] = {"responsesFile": self.results}
        if over:
            operation["done"] = True
        if over and self.plan.error is not None:
            operation["error"] = self.plan.error
        return operation


@dataclass
class JobStore:
    """All batches of the server.

    Attributes:
        files: where the inputs are and the results go.
        respond: the request of a line -> identity and reply, billed as a batch.
        plan: number of a batch, from 0 -> what becomes of it.
        most_per_page: longest page of a list.
    """

    files: FileStore
    respond: Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]
    plan: Callable[[int], BatchPlan] = lambda _number: BatchPlan()
    most_per_page: int = 2
    jobs: dict[str, Job] = field(default_factory=dict)
    asked: int = 0
    lock: Any = field(default_factory=threading.RLock)

    def create(self, model: str, body: dict[str, Any]) -> Answer:
        """Create a batch."""
        with self.lock:
            plan = self.plan(self.asked)
            self.asked += 1
            if plan.refuse is not None:
                return plan.refuse
            batch = body["batch"]
            file_name = batch["inputConfig"].get("fileName")
            if file_name is None or self.files.alive(file_name) is None:
                return Answer(400, error(400, "INVALID_ARGUMENT", "no such input file"))
            job = Job(f"batches/b{len(self.jobs):06d}", batch["displayName"], model, file_name, plan, time.time())
            self.jobs[job.name] = job
            return Answer() if plan.accept_and_drop else Answer(body=job.described())

    def get(self, name: str) -> Answer:
        """Look at a batch."""
        with self.lock:
            job = self.jobs.get(name)
            if job is None:
                return Answer(404, error(404, "NOT_FOUND", "Requested entity was not found."))
            if job.state in ("PENDING", "RUNNING"):
                if job.polls >= job.plan.polls and time.time() >= job.created + job.plan.seconds:
                    self._finish(job)
                else:
                    job.polls += 1
                    job.state = "RUNNING"
            return Answer(body=job.described())

    def list(self, page_size: int, token: str) -> Answer:
        """List batches, the newest first."""
        with self.lock:
            newest = list(self.jobs.values())[::-1]
        start, size = int(token or 0), min(page_size, self.most_per_page)
        page: dict[str, Any] = {"operations": [job.described() for job in newest[start : start + size]]}
        return Answer(body=page | ({"nextPageToken": str(start + size)} if start + size < len(newest) else {}))

    def cancel(self, name: str) -> Answer:
        """Cancel a batch."""
        with self.lock:
            self.jobs[name].state = "CANCELLED"
        return Answer(body={})

    def _finish(self, job: Job) -> None:
        plan, draw = job.plan, random.Random(f"{job.plan.seed}/{job.name}")
        job.state = plan.state
        if plan.error is not None:
            return
        lines: list[bytes] = []
        for text in bytes(self.files.files[job.file_name].data).splitlines():
            if draw.random() >= plan.finished:
                continue
            line = json.loads(text)
            fate = draw.random()
            if fate < plan.failing:
                lines.append(json.dumps({"key": line["key"], "error": plan.line_error}).encode())
                continue
            identity, body = self.respond(line["request"])
            done = json.dumps({"response": body, "key": line["key"]}).encode()
            if fate < plan.failing + plan.malformed:
                lines.append(done[: len(done) // 2])
                continue
            job.delivered.append(identity)
            lines += [done] * (2 if fate < plan.failing + plan.malformed + plan.duplicated else 1)
        for number in range(plan.unknown_keys):
            lines.append(json.dumps({"key": f"stranger-{number}", "response": {"candidates": []}}).encode())
        draw.shuffle(lines)
        job.results = self.files.make(b"".join(line + b"\n" for line in lines))
