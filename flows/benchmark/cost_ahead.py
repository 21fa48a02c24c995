"""What a question would cost, before anybody is asked."""

import io
from dataclasses import dataclass

import soundfile

from annotate.models.inquiry import Inquiry
from flows.benchmark.asking import BenchQuestion
from flows.benchmark.bench_run import BenchRun
from flows.run.questions import known_ledger


@dataclass(frozen=True, kw_only=True)
class CostAhead:
    """What is left to ask.

    Attributes:
        requests: all requests.
        left: those without a reply in the ledger.
        most_usd: the most that these can cost, each sent once.
    """

    requests: int
    left: int
    most_usd: float

    def __str__(self) -> str:
        return f"{self.left} of {self.requests} requests are to be sent, for at most {self.most_usd:.2f} USD"


def cost_ahead(run: BenchRun, question: BenchQuestion) -> CostAhead:
    """Return what a question costs at most. Its clips must be in the workspace."""
    cases = {
        case.request.key: case.request
        for case in Inquiry.of(question.task, question.judge).cases(question.requests, complete=True)
    }
    replied = set[str]()
    if (known := known_ledger(run)) is not None:
        with known as ledger:
            replied = set(ledger.replies(sorted(cases)))
    left = [request for key, request in cases.items() if key not in replied]
    seconds = {audio.audio_id: 0.0 for request in left for audio in request.audios}
    for audio_id in seconds:
        seconds[audio_id] = soundfile.info(io.BytesIO(run.workspace.read(run.blobs.name(audio_id)))).duration
    most = sum(
        question.judge.estimate(
            request.prompt, sum(seconds[audio.audio_id] for audio in request.audios), batch=question.mode == "batch"
        ).usd
        for request in left
    )
    return CostAhead(requests=len(cases), left=len(left), most_usd=most)
