"""Schemas of what models and people answer: judgments, rulings, writings, votes, ratings and assessments."""

from typing import Final

import pyarrow as pa

from contracts.schema_columns import BOOL, FLOAT, INT, SCALE_SCORES, SCORES, TEXT, column

JUDGMENTS: Final = pa.schema(
    [
        column("judgment_id", TEXT, "id of pair + question: judge, model, prompt version, rendered prompt, audio, parameters"),
        column("pair_id", TEXT, "the pair judged"),
        column("task", TEXT, "task plug-in that asked and parsed"),
        column("judge", TEXT, "judge plug-in"),
        column("judge_version", TEXT, "version of the judge's rule or client"),
        column("model", TEXT, "model asked for"),
        column("model_served", TEXT, "model that answered, as it names itself", nullable=True),
        column("prompt_version", TEXT, "hash of the prompt template"),
        column("settings", TEXT, "hash of the judge's parameters"),
        column("order", TEXT, "ab = A was played first; ba = BOOL was, and all that is said here is turned back"),
        column("vote", INT, "0, 1, ...: how often the same question was put before"),
        column("verdict", TEXT, "a or b; null = equal totals", nullable=True),
        column("scores_a", SCORES, "dimension -> score of A"),
        column("scores_b", SCORES, "dimension -> score of B"),
        column("total_a", FLOAT, "sum of A's scores"),
        column("total_b", FLOAT, "sum of B's scores"),
        column("completion", TEXT, "the reply in the task's layout, of the speeches as they were played"),
        column("input_tokens", INT, "tokens billed as input", nullable=True),
        column("output_tokens", INT, "tokens billed as output", nullable=True),
        column(
            "marks",
            pa.list_(TEXT),
            "what was put right or let pass in the reply: total_recomputed, sentence_count; null = nothing",
            nullable=True,
        ),
    ]
)

RULINGS: Final = pa.schema(
    [
        column("pair_id", TEXT, "the pair"),
        column("verdict", TEXT, "a or b; null = no preference", nullable=True),
        column("scores_a", SCORES, "dimension -> mean score of A over the judgments"),
        column("scores_b", SCORES, "dimension -> mean score of BOOL over the judgments"),
        column("total_a", FLOAT, "mean total of A"),
        column("total_b", FLOAT, "mean total of B"),
        column("votes_a", INT, "judgments for A; where ratings make the verdict, ratings of A"),
        column("votes_b", INT, "judgments for B; likewise"),
        column("votes_none", INT, "judgments without a preference"),
        column("order_flip", BOOL, "the verdict changed with the order of playing; null = one order only", nullable=True),
        column("judgment_ids", pa.list_(TEXT), "all judgments that it rests on, the one it is told by first"),
    ]
)

WRITINGS: Final = pa.schema(
    [
        column("writing_id", TEXT, "id of row + question: judge, model, prompt version, rendered prompt, audio, parameters"),
        column("task", TEXT, "task plug-in that asked and parsed"),
        column("subject", TEXT, "table of the row it is about: prompts, samples or judgments"),
        column("subject_id", TEXT, "key of that row"),
        column("judge", TEXT, "judge plug-in that wrote"),
        column("judge_version", TEXT, "version of the judge's client"),
        column("model", TEXT, "model asked for"),
        column("model_served", TEXT, "model that answered, as it names itself", nullable=True),
        column("prompt_version", TEXT, "hash of the prompt template"),
        column("settings", TEXT, "hash of the judge's parameters"),
        column("content", TEXT, "canonical JSON object: what was written, by the names of the task's fields"),
        column("scores", SCORES, "name -> number, for tasks that score; empty elsewhere"),
        column("completion", TEXT, "the reply in the task's layout"),
        column("input_tokens", INT, "tokens billed as input", nullable=True),
        column("output_tokens", INT, "tokens billed as output", nullable=True),
    ]
)

VOTES: Final = pa.schema(
    [
        column("vote_id", TEXT, "id of pair or critique + annotator + protocol"),
        column("pair_id", TEXT, "the pair voted on, or whose critique was"),
        column("annotator_id", TEXT, "pseudonym of the annotator"),
        column(
            "protocol",
            TEXT,
            "protocol plug-in: speechjudge (A+2 A+1 T B+1 B+2), unisrm (A B invalid) or acceptance (yes no invalid)",
        ),
        column("value", TEXT, "the vote, in the pair's stored order, whatever order was played"),
        column("text_accurate_a", BOOL, "A speaks the text without error", nullable=True),
        column("text_accurate_b", BOOL, "BOOL speaks the text without error", nullable=True),
        column("errors_a", pa.list_(TEXT), "omission, insertion, substitution heard in A; null = not asked", nullable=True),
        column("errors_b", pa.list_(TEXT), "likewise in B", nullable=True),
        column("order", TEXT, "ab = A was played first; null = unknown", nullable=True),
        column("time_s", FLOAT, "seconds from the item's showing to the vote", nullable=True),
        column("plays_a", INT, "how often A was played", nullable=True),
        column("plays_b", INT, "how often BOOL was played", nullable=True),
        column("source", TEXT, "app, or the file that it was imported from"),
        column(
            "discarded",
            TEXT,
            "why it does not count, such as the rule that excluded the annotator; null = it counts",
            nullable=True,
        ),
        column(
            "aggregated",
            BOOL,
            "true = a label made elsewhere of votes that are not here, no vote of a person; null = a vote",
            nullable=True,
        ),
        column("judgment_id", TEXT, "the critique of the pair that was voted on; null = the pair itself was", nullable=True),
    ]
)

RATINGS: Final = pa.schema(
    [
        column("rating_id", TEXT, "id of sample + annotator + protocol"),
        column("sample_id", TEXT, "the sample rated"),
        column("annotator_id", TEXT, "pseudonym of the annotator"),
        column("protocol", TEXT, "protocol plug-in"),
        column("scores", SCORES, "scale -> rating"),
        column("time_s", FLOAT, "seconds from the item's showing to the rating", nullable=True),
        column("plays", INT, "how often it was played", nullable=True),
        column("source", TEXT, "app, or the file that it was imported from"),
        column("discarded", TEXT, "why it does not count; null = it counts", nullable=True),
    ]
)

ASSESSMENTS: Final = pa.schema(
    [
        column("sample_id", TEXT, "the clip"),
        column("scores", SCALE_SCORES, "its scores, in the recipe's order of the scales"),
        column(
            "source", TEXT, "who gave them: ratings (the corpus brings them along), votes (listeners) or judgment (a judge)"
        ),
        column("content", TEXT, "canonical JSON of the reasons, by the names of the task's fields; null = none", nullable=True),
        column("completion", TEXT, "reasons and scores in the task's layout; null = there are no reasons", nullable=True),
        column("writing_id", TEXT, "the writing that it is made of", nullable=True),
        column("rating_ids", pa.list_(TEXT), "the listeners' ratings that it rests on"),
    ]
)
