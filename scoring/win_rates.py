"""How often each system is preferred."""

import pyarrow as pa
import pyarrow.compute as pc


def win_rates(compared: pa.Table) -> list[dict[str, object]]:
    """Count wins per system.

    Args:
        compared: ``system_a``, ``system_b`` and ``verdict`` (``a``, ``b``; null = no preference, which counts for nobody).

    Returns:
        ``{system, comparisons, wins, win_rate}`` per system, best first. A pair of one system counts as two comparisons of it.
    """
    decided = compared.filter(pc.is_valid(compared["verdict"]))
    won_by_a = pc.equal(decided["verdict"], "a")
    winners = pc.if_else(won_by_a, decided["system_a"], decided["system_b"])
    wins = _counts(winners)
    total = _counts(pa.chunked_array([*decided["system_a"].chunks, *decided["system_b"].chunks], pa.string()))
    rows: list[dict[str, object]] = [
        {"system": system, "comparisons": n, "wins": wins.get(system, 0), "win_rate": wins.get(system, 0) / n}
        for system, n in total.items()
    ]
    return sorted(rows, key=lambda row: (-float(str(row["win_rate"])), str(row["system"])))


def against(compared: pa.Table) -> dict[tuple[str, str], tuple[int, int]]:
    """Return (system, other system) -> (wins of the first, comparisons of the two)."""
    decided = compared.filter(pc.is_valid(compared["verdict"]))
    result: dict[tuple[str, str], tuple[int, int]] = {}
    columns = [decided[name].to_pylist() for name in ("system_a", "system_b", "verdict")]
    for a, b, verdict in zip(*columns, strict=True):
        for first, second, won in ((a, b, verdict == "a"), (b, a, verdict == "b")):
            wins, n = result.get((first, second), (0, 0))
            result[first, second] = (wins + won, n + 1)
    return result


def _counts(column: pa.ChunkedArray | pa.Array) -> dict[str, int]:
    return {item["values"].as_py(): item["counts"].as_py() for item in pc.value_counts(column)}
