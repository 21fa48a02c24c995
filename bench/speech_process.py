"""One process that has texts spoken by a speech service, through the ledger. It prints a line of JSON a second.

A line has the time, how many clips are done, how many requests have failed, and the memory.
"""

import argparse
import importlib
import json
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from annotate.models.ledger.ledger import Ledger
from bench.annotating import report
from contracts.ids import canonical_json
from storage.workspace import Workspace
from synth.dsp import AudioFormat
from synth.render import RenderJob
from synth.service_rendering import spoken_rows

VOICES = {"openai_speech": "nova", "gemini_speech": "Kore"}


def requests(rows: int, voice: str) -> pa.Table:
    """Return so many short texts to speak."""
    texts = [f"Here is line {row}, please read it." for row in range(rows)]
    none = pa.nulls(rows, pa.string())
    return pa.table(
        {
            **{name: [f"{kind}{row:031x}" for row in range(rows)] for name, kind in (("row_id", "5"), ("subject_id", "7"))},
            "group_id": [f"9{row:031x}" for row in range(rows)],
            "text": texts,
            "spoken_text": none,
            "language": ["en"] * rows,
            "voice": [voice] * rows,
            "seed": list(range(rows)),
            "reference_audio_id": none,
            "reference_text": none,
        }
    )


def speak(rows: int, engine: str, options: dict[str, Any], folder: Path, budget_usd: float) -> None:
    """Have every text spoken, and count clips and failures."""
    job = RenderJob(
        engine=engine,
        options=canonical_json(options),
        system="far",
        audio=AudioFormat(),
        workspace_url=Workspace(folder / "workspace").url,
    )
    done = failed = 0
    last = 0.0
    for outcome in spoken_rows(
        requests(rows, VOICES[engine]),
        job=job,
        open_ledger=lambda: Ledger(folder / "ledger.sqlite", account="bench"),
        budget_usd=budget_usd,
    ):
        done += outcome.rows.num_rows
        failed += outcome.failures.num_rows
        if time.monotonic() - last > 1:
            last = time.monotonic()
            report(done, failed=failed)
    report(done, failed=failed)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True, help="of the ledger and the workspace")
    parser.add_argument("--engine", required=True)
    parser.add_argument("--options", default="{}", help="of the engine, as JSON")
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--budget", type=float, default=1000.0)
    given = parser.parse_args()
    for module in ("google.genai", "openai", "scipy.signal"):
        importlib.import_module(module)  # seconds, in which nothing could be killed
    report(0)
    speak(given.rows, given.engine, json.loads(given.options), given.folder, given.budget)


if __name__ == "__main__":
    main()
