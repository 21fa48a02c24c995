"""Levels, labels, rates and agreement of votes, by nothing but pandas and the words of the paper: an oracle for ours."""

from typing import Any

import pandas as pd


def by_pandas(votes: pd.DataFrame) -> dict[str, Any]:
    """Return levels, labels, rates and agreement of votes, by nothing but pandas and the paper's words.

    Args:
        votes: pair_id, annotator_id, value.
    """
    votes = votes.assign(side=votes["value"].str[0])
    counts = votes.pivot_table(index="pair_id", columns="side", values="value", aggfunc="count", fill_value=0)
    counts = counts.reindex(columns=["A", "B", "T"], fill_value=0)
    size, most = counts.sum(axis=1), counts.max(axis=1)
    level = pd.Series("FD", index=counts.index)
    level[(most == 2) & (size == 3)] = "WA"
    level[(most == 2) & (size == 3) & (counts["A"] > 0) & (counts["B"] > 0)] = "WD"
    level[most == size] = "FA"
    label = counts.idxmax(axis=1).where(most >= 2)
    joined = votes.merge(votes, on="pair_id", suffixes=("", "_other"))
    joined = joined[joined["annotator_id"] != joined["annotator_id_other"]]
    joined["same"] = joined["side"] == joined["side_other"]
    share = joined.groupby(["annotator_id", "pair_id"])["same"].mean()
    preferred = joined[joined["pair_id"].map(label).isin(["A", "B"]) & (joined["side"] != "T") & (joined["side_other"] != "T")]
    return {
        "level": level,
        "label": label,
        "rate": share.groupby("annotator_id").mean(),
        "ternary": joined.groupby("pair_id")["same"].mean(),
        "binary": preferred.groupby("pair_id")["same"].mean(),
        "couples": joined["same"].mean(),
        "preferred_couples": preferred["same"].mean(),
    }
