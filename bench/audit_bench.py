"""How long the audit of shortcuts takes at the size of UniSRM-Data: 46,259 pairs, seconds and memory.

``python -m bench audit_bench``. The pairs are simulated: text groups of ten, seven systems, three splits, eleven nuisances.
"""

import json
import subprocess
import sys
import time
from typing import Any

PAIRS = 46_259
SECONDS_TARGET = 30.0
GIB_TARGET = 2.0
_NUISANCES = 11
_SYSTEMS = 7
_GROUP = 10


def measure() -> dict[str, float]:
    """Audit the pairs in this process; return seconds and the largest resident size in GiB."""
    import resource

    import numpy as np

    from scoring.audit.association import ALPHA, associations
    from scoring.audit.pairs import by_split, preferred
    from scoring.audit.reader import read_without_listening
    from scoring.audit.rebalancing import rows_to_drop

    draw = np.random.default_rng(0)
    groups = np.arange(PAIRS) // _GROUP
    chosen = draw.choice([-1.0, 1.0], PAIRS)
    measured = draw.normal(0, 1, (PAIRS, _NUISANCES)) + 0.05 * chosen[:, None]
    spoken = draw.integers(0, _SYSTEMS, (PAIRS, 2))
    systems = [(spoken[:, 0] == one).astype(float) - (spoken[:, 1] == one) for one in range(_SYSTEMS)]
    split = np.digitize(groups / groups[-1], [0.72, 0.92])
    members: dict[str | None, Any] = {None: np.ones(PAIRS, dtype=bool)} | {str(one): split == one for one in range(3)}
    rank = draw.permutation(PAIRS)
    start = time.perf_counter()
    columns = [preferred(values, chosen) for values in (*measured.T, *systems)]
    added, known = by_split(np.column_stack([one[0] for one in columns]), np.column_stack([one[1] for one in columns]), members)
    found = associations(added, known, groups, draw)
    for right in (chosen, np.ones(PAIRS)):
        read_without_listening(measured * right[:, None], groups, draw, alpha=ALPHA)
    audited = time.perf_counter() - start
    dropped = rows_to_drop({str(one): measured[:, one] * chosen for one in range(3)}, rank)
    rebalanced = time.perf_counter() - start - audited
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"columns": len(found), "s": audited, "rebalancing_s": rebalanced, "dropped": len(dropped), "gib": gib}


def run() -> list[dict[str, object]]:
    """Return the figures, measured in a process of its own."""
    code = "import json; from bench import audit_bench; print(json.dumps(audit_bench.measure()))"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    name = f"audit of {PAIRS:,} pairs, {found['columns']:.0f} columns"
    rebalancing = f"rebalancing of three features, {found['dropped']:,} pairs leave"
    return [
        _row(f"{name}, s", found["s"], SECONDS_TARGET),
        _row(f"{name}, GiB", found["gib"], GIB_TARGET),
        _row(f"{rebalancing}, s", found["rebalancing_s"], SECONDS_TARGET),
    ]


def _row(name: str, value: float, most: float) -> dict[str, object]:
    return {"name": name, "value": value, "baseline": None, "ratio": None, "target": f"<= {most:g}", "ok": value <= most}
