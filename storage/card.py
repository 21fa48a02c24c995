"""The data set card (README.md) of a release: a YAML header that the Hub and ``datasets`` read, and a page for people.

Everything on the page that comes from data or a recipe is escaped, so that a system called ``a|b`` or a transcript with
``<script>`` stays text.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2
import yaml

from storage.card_facts import Facts
from storage.hub_metadata import hub_languages, hub_license, size_category
from storage.tally import Tally

_FRAME: Final = "card.md.jinja"
_BLOCKS: Final = ("synthetic", "items", "body", "licences")
"""Blocks that the template of a body fills."""

_HEADING: Final = re.compile(r"^#(?=#+ )", re.MULTILINE)


def escape(value: object) -> str:
    """Return ``value`` as Markdown that shows just its characters, on one line: also inside a table and against HTML."""
    text = " ".join(("-" if value is None else str(value)).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+!|~$])", r"\\\1", text)


def header(facts: Facts, tally: Tally) -> dict[str, Any]:
    """Return the card's YAML header as literals."""
    licenses = tally.frame.values("license")
    hub = sorted({hub_license(part) for spdx in licenses for part in re.split(r" (?:AND|OR|WITH) |[()]", spdx) if part})
    configs: dict[str, list[dict[str, str]]] = {}
    for (config, split), rows in tally.rows.items():
        if rows:
            configs.setdefault(config, []).append({"split": split, "path": f"{config}/{split}-*.parquet"})
    languages = hub_languages(tally.frame.values("language"))
    found: dict[str, Any] = {"pretty_name": facts.pretty_name} | ({"language": languages} if languages else {})
    found["license"] = hub[0] if len(hub) == 1 else hub
    if "other" in hub:
        found["license_name"] = "per-row-licenses"
        found["license_link"] = "README.md"
    return found | {
        "annotations_creators": list(facts.annotations_creators),
        "language_creators": ["found", *(["machine-generated"] if facts.writers else [])],
        "multilinguality": ["monolingual" if len(languages) < 2 else "multilingual"],
        "source_datasets": ["original"],
        "size_categories": [size_category(sum(tally.rows.values()))],
        "task_categories": ["audio-classification", "text-to-speech"],
        "tags": ["audio", "speech", "reward-model", *_kinds_of_rows(tally), "speech-quality"],
        "configs": [{"config_name": config, "data_files": files} for config, files in configs.items()],
    }


def _kinds_of_rows(tally: Tally) -> list[str]:
    """Return the tags that only some data sets have: of rows that prefer one clip, and of clips that a machine spoke."""
    preference = any(schema.labels for schema in tally.schemas.values())
    synthetic = any(counts.synthetic for counts in tally.bodies)
    return [tag for tag, holds in (("preference", preference), ("synthetic", synthetic)) if holds]


def render(facts: Facts, tally: Tally) -> str:
    """Return the whole card.

    Args:
        facts: facts that the build knows.
        tally: counts of the rows, and the schemas whose columns the card explains.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([Path(__file__).parent, "/"]),  # "/" for templates of others, by absolute paths
        autoescape=False,  # noqa: S701  every expression goes through ``escape`` instead, which escapes Markdown and HTML
        finalize=lambda value: value.text if isinstance(value, Verbatim) else escape(value),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    columns = {
        config: [
            (column.name, str(column.type), (column.metadata or {}).get(b"meaning", b"").decode()) for column in schema.columns
        ]
        for config, schema in tally.schemas.items()
    }
    top = yaml.safe_dump(header(facts, tally), sort_keys=False, allow_unicode=True, default_flow_style=False, width=1000)
    labels = {label: words for schema in tally.schemas.values() for label, words in schema.labels.items()}
    return environment.get_template(_FRAME).render(
        top=Verbatim(text=top),
        facts=facts,
        tally=tally.frame,
        blocks=_blocks(environment, facts, tally),
        labels=labels,
        splits=[(config, split, rows, _labelled(tally, config, split)) for (config, split), rows in tally.rows.items()],
        empty=", ".join(f"{config} {split}" for (config, split), rows in tally.rows.items() if not rows),
        columns=columns,
        example=_example(tally),
    )


def _blocks(environment: jinja2.Environment, facts: Facts, tally: Tally) -> dict[str, "Verbatim"]:
    """Return the blocks of the card that are about sorts of items; those of several sorts name their configurations."""
    texts: dict[str, list[str]] = {name: [] for name in _BLOCKS}
    for counts in tally.bodies:
        template = environment.get_template(counts.body.template)
        context = template.new_context({"facts": facts, "tally": counts})
        of = ", ".join(map(escape, counts.configurations))
        for name in _BLOCKS:
            if name not in template.blocks or (name == "synthetic" and not counts.synthetic):
                continue
            text = "".join(template.blocks[name](context)).removesuffix("\n")
            if len(tally.bodies) > 1 and name == "items":
                text = f"**{of}**: {text}"
            elif len(tally.bodies) > 1 and name == "body":
                text = f"## Rows of {of}\n\n{_HEADING.sub('##', text)}"
            if text not in texts[name]:
                texts[name].append(text)
    return {name: Verbatim(text="\n\n".join(found)) for name, found in texts.items()}


def _labelled(tally: Tally, config: str, split: str) -> dict[str, int | None]:
    """Return label -> rows of a split; None for labels that rows of the configuration cannot have."""
    known = tally.schemas[config].labels
    return {
        label: tally.labels[config, split][label] if label in known else None
        for schema in tally.schemas.values()
        for label in schema.labels
    }


def _example(tally: Tally) -> dict[str, Any]:
    """Return the first split with rows and its columns of clips, for the card's example of loading it."""
    config, split = next((key for key, rows in tally.rows.items() if rows), next(iter(tally.rows)))
    schema = tally.schemas[config]
    lists = schema.audio_list_columns
    clips = [f'"{name}"' for name in schema.audio_columns if name not in lists]
    one_or_more = f"{clips[0]}," if len(clips) == 1 else ", ".join(clips)
    return {
        "config": Verbatim(text=config),
        "split": Verbatim(text=split),
        "clips": Verbatim(text=one_or_more),
        "lists": [Verbatim(text=name) for name in lists],
    }


@dataclass(frozen=True, kw_only=True)
class Verbatim:
    """Text of the card that is not escaped."""

    text: str
