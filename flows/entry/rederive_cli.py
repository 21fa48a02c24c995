"""The command ``unisrm-data rederive``: the published SpeechJudge-Data by our rules."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def rederive(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="downloaded SpeechJudge-Data: <split>-*.parquet")],
    recogniser: Annotated[
        str | None, typer.Option("--asr", metavar="NAME", help="measure word error rates with this recogniser, for hq")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="folder for pairs.parquet and votes.parquet; must not be there")
    ] = None,
    seed: Annotated[int, typer.Option(help="which texts our eval and dev draw")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable output")] = False,
) -> None:
    """Derive levels, labels and splits of the published SpeechJudge-Data from its votes, and list what differs by rule."""
    from flows.entry.printed_rows import json_text, print_rows
    from flows.published.measured_wers import wers_with
    from flows.published.rederivation import differences, funnel, read_published, strata, write_derived

    published = read_published(folder, None if recogniser is None else wers_with(recogniser))
    if output is not None:
        write_derived(published, output, seed)
    tables = {"funnel": funnel(published), "strata": strata(published, seed), "differences": differences(published)}
    if as_json:
        print(json_text(tables))
        return
    for title, rows in tables.items():
        print(f"{title}:")
        print_rows(rows, as_json)
        print()
    if recogniser is None:
        print("hq is not known: no word error rate is published, and none was measured (--asr NAME)", file=sys.stderr)
