"""The stages of a recipe as a graph, whose edges are tables."""

from collections.abc import Sequence

from flows.run.pipeline import Build, Stage


def mermaid(build: Build, stages: Sequence[Stage]) -> str:
    """Return the stages as a Mermaid flow chart; an edge names the tables that one stage writes and another reads.

    Stages in rounded boxes use the cluster. Tables that account for rows (``wanted``, ``drops``, ``failures``) are left out.
    """
    boxes = (f"([{stage.name}])" if stage.on_cluster else f"[{stage.name}]" for stage in stages)
    lines = ["flowchart LR", *(f"  {stage.name}{box}" for stage, box in zip(stages, boxes, strict=True))]
    for number, stage in enumerate(stages):
        read = stage.all_reads(build)
        for source in stages[:number]:
            tables = [name for name in source.writes if _is_shown(name) and name in read]
            if tables:
                lines.append(f"  {source.name} -->|{', '.join(tables)}| {stage.name}")
    return "\n".join(lines)


def _is_shown(table: str) -> bool:
    return table.partition("@")[0] not in {"wanted", "drops", "failures"}
