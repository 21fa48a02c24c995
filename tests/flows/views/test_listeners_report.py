"""The report's section about listeners: ratings by system, and what it says of votes."""

import numpy as np
import pyarrow as pa
import pytest

from annotate.people.store.store_records import Annotator, ListeningProgress
from contracts.schemas import RATINGS
from flows.views.listeners_report import _annotators, opinions
from flows.views.report import render
from tests.flows.views.test_report_judges import cells

GIVEN = {"flite": [2.0, 3.0, 2.0, 1.0], "human": [5.0, 4.0, 5.0, 5.0, 4.0], "piper": [4.0]}
SAMPLES = pa.table({"sample_id": ["flite-0", "flite-1", "human-0", "piper-0"], "system": ["flite", "flite", "human", "piper"]})


def ratings():
    rows = [
        {
            "rating_id": f"{system}{n}",
            "sample_id": f"{system}-{n % 2 if system == 'flite' else 0}",
            "annotator_id": f"v{n}",
            "protocol": "rating",
            "scores": [("overall", score)],
            "source": "app",
        }
        for system, scores in GIVEN.items()
        for n, score in enumerate(scores)
    ]
    rows.append(
        rows[0] | {"rating_id": "no", "annotator_id": "careless", "scores": [("overall", 5.0)], "discarded": "too_fast"}
    )
    return pa.Table.from_pylist(rows, schema=RATINGS)


def test_mean_opinion_scores():
    """Mean, number and 95 % interval of each system are scipy's; the best comes first; what is discarded does not count."""
    from scipy.stats import ttest_1samp

    found = opinions(ratings(), SAMPLES)
    assert [(row["system"], row["clips"], row["score"].n) for row in found] == [
        ("human", 1, 5),
        ("piper", 1, 1),
        ("flite", 2, 4),
    ]
    for row in found:
        scores = GIVEN[row["system"]]
        assert row["score"].value == pytest.approx(np.mean(scores))
        if len(scores) > 1:
            low, high = ttest_1samp(scores, 0).confidence_interval(0.95)
            assert (row["score"].low, row["score"].high) == (pytest.approx(low), pytest.approx(high))
    assert found[1]["score"].low is None


def test_the_page_of_a_rating_test():
    """Scores by system, and how many ratings each listener gave; nothing about agreement on sides that nobody took."""
    people = [
        Annotator(annotator_id=who, name=who, levels={}, state="qualified")
        for who in ("careless", *(f"v{n}" for n in range(5)))
    ]
    progress = ListeningProgress(items=4, complete=4, waiting=0, votes=10, wanted=10, leases=0, strata=(), closed=True)
    shown = {
        "protocol": "rating",
        "unit": "ratings",
        "progress": progress,
        "opinions": opinions(ratings(), SAMPLES),
        "annotators": _annotators(people, ratings(), {}),
    }
    page = render("report_listeners.html.jinja", {"listeners": shown})
    rows = cells(page)
    assert ["overall", "human", "4.60", "3.92 to 5.28", "5", "1"] in rows
    assert ["overall", "piper", "4.00", "one rating", "1", "1"] in rows
    assert ["v0", "qualified", "3", "3", "not rated"] in rows
    assert ["careless", "qualified", "1", "0", "not rated"] in rows
    assert "Agreement between listeners" not in page
    assert "10 of 10 ratings are in" in page
    assert "the test is closed" in page
