"""Run every bench in a process of its own, print a table, and write ``bench.json``."""

import json
import subprocess
import sys
from pathlib import Path

BENCHES = (
    "filters_bench",
    "shards_bench",
    "fanout_bench",
    "nodes_bench",
    "mixed_bench",
    "ahead_bench",
    "noop_bench",
    "stages_bench",
    "audit_bench",
    "annotation_bench",
    "speech_bench",
    "listening_bench",
    "listeners_bench",
    "mos_rmbench_bench",
    "speechjudge_bench",
    "collection_bench",
    "shortcuts_bench",
)


def main() -> int:
    """Return 0 if every figure meets its target."""
    rows = []
    for name in sys.argv[1:] or BENCHES:
        code = f"import json; from bench import {name}; print('\\n' + json.dumps({name}.run()))"
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
        rows += json.loads(done.stdout.splitlines()[-1])
    for row in rows:
        figures = "  ".join(f"{name} {_short(row[name]):>6}" for name in ("ratio", "value", "baseline"))
        print(f"{'ok  ' if row['ok'] else 'MISS'} {figures}  target {row['target']!s:<22} {row['name']}")
    Path("bench.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0 if all(row["ok"] for row in rows) else 1


def _short(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.4g}"


if __name__ == "__main__":
    sys.exit(main())
