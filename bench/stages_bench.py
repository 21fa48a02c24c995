"""The stages after judging, at 100,000 pairs: their CPU beside that of an earlier commit, and the memory of the release.

Each stage runs in a process of its own, over the workspace of the no-op bench. The earlier commit comes from the history of
this clone and runs with the same packages; without that history nothing is compared.

``python -m bench.stages_bench PAIRS`` prints CPU, wall time and peak memory of each stage for another number of pairs, without
the comparison. A million takes about 10 minutes, most of it to make the workspace.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

PAIRS: Final = 100_000
BEFORE: Final = "5f2a514"
CPU_TARGET: Final = 0.5
MEMORY_TARGET_MB: Final = 600
AFTER_JUDGING: Final = ("rulings", "filters", "splits", "release")
_ROOT: Final = Path(__file__).resolve().parent.parent


def measured(tree: Path, pairs: int) -> list[dict[str, Any]]:
    """Return rows, CPU, wall time and peak memory of each stage after judging, as a tree has it."""
    script = [sys.executable, str(_ROOT / "bench" / "stage_process.py")]
    with tempfile.TemporaryDirectory() as name:
        variables, arguments = {**os.environ, "PYTHONPATH": str(tree)}, [str(pairs), f"{name}/bench"]
        subprocess.run([*script, "fill", *arguments], cwd=tree, env=variables, check=True, stdout=sys.stderr)
        found = []
        for stage in AFTER_JUDGING:
            command = [*script, stage, *arguments]
            done = subprocess.run(command, cwd=tree, env=variables, check=True, stdout=subprocess.PIPE, text=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
            print("  " + "  ".join(f"{key} {_short(value)}" for key, value in found[-1].items()), file=sys.stderr)
    return found


def _short(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _measured_before(pairs: int) -> list[dict[str, Any]] | None:
    """Return the same of the earlier commit; None where this clone does not have it."""
    look = ["git", "cat-file", "-e", f"{BEFORE}^{{commit}}"]
    if subprocess.run(look, cwd=_ROOT, check=False, stderr=subprocess.DEVNULL).returncode:
        return None
    with tempfile.TemporaryDirectory() as name:
        packed = subprocess.run(["git", "archive", BEFORE], cwd=_ROOT, check=True, stdout=subprocess.PIPE).stdout
        subprocess.run(["tar", "-x", "-C", name], input=packed, check=True)
        return measured(Path(name), pairs)


def run(pairs: int = PAIRS) -> list[dict[str, Any]]:
    """Measure this tree, and the earlier commit."""
    now, before = measured(_ROOT, pairs), _measured_before(pairs)
    memory = now[-1]["peak_mb"]
    lines = [
        {
            "name": f"release of {pairs} pairs, peak memory of the process (MB)",
            "value": round(memory),
            "baseline": None
            if before is None
            else round(next(line["peak_mb"] for line in before if line["stage"] == "release")),
            "ratio": None,
            "target": f"<= {MEMORY_TARGET_MB}",
            "ok": memory <= MEMORY_TARGET_MB,
        }
    ]
    if before is not None:
        ours, theirs = (sum(line["cpu_s"] for line in lines) for lines in (now, before))
        lines.append(
            {
                "name": f"stages after judging, {pairs} pairs, CPU against commit {BEFORE} (s)",
                "value": round(ours, 1),
                "baseline": round(theirs, 1),
                "ratio": round(ours / theirs, 2),
                "target": f"<= {CPU_TARGET}",
                "ok": ours / theirs <= CPU_TARGET,
            }
        )
    return lines


if __name__ == "__main__":
    for number in sys.argv[1:] or [str(PAIRS)]:
        measured(_ROOT, int(number))
