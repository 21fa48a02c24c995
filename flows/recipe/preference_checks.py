"""Checks of systems, roles and judges of a recipe of kind ``preference``, against each other and their plug-ins."""

from collections.abc import Sequence, Set
from difflib import get_close_matches

from annotate.models.inquiry import Inquiry
from annotate.models.task import TaskSpec
from contracts import plugins
from contracts.errors import RecipeError
from contracts.licences import is_non_commercial
from flows.recipe.checks import check_measured
from flows.recipe.contrasts_section import check_contrasts
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.recipe.role_checks import check_role
from flows.recipe.sections import Role, System
from flows.recipe.subsets_section import check_subsets
from storage.columns import release_schema
from synth.engine import Engine, Voice, is_service, max_reference_s, varies_by
from synth.scripts import OF_RECORDINGS, STYLE_CONTINUATION


def _negative_roles() -> list[str]:
    """Return the tasks whose text a system can speak instead of the target."""
    return [name for name, task in plugins.intact("task").items() if task.makes_negatives]


def check(recipe: PreferenceRecipe) -> None:
    """Check what one field alone does not show.

    Raises:
        RecipeError: an unknown voice, or one that the release may not hold, an environment of a service, a system, judge or
            role without the metric, corpus or role that it needs, two equal judges, or a source of labels that the recipe does
            not have.
    """
    for system in recipe.systems:
        if system.clips is None:
            if system.environment is not None and system.name in recipe.speech_services:
                raise RecipeError(f"systems.{system.name}.environment: {system.engine!r} is a service, which runs elsewhere")
            voices = recipe.engines[system.name].voices()
            _check_voices(system, [voice.name for voice in voices])
            _check_takes(system, recipe.engines[system.name])
            if not recipe.release.allow_non_commercial:
                _check_licences(system, voices)
        elif system.clips not in {corpus.name for corpus in recipe.corpora}:
            raise RecipeError(f"systems.{system.name}.clips: {system.clips!r} is no corpus of this recipe")
    _check_reference_length(recipe)
    corpora = [corpus.name for corpus in recipe.corpora]
    if unknown := [name for name in recipe.prompts.corpora or () if name not in corpora]:
        raise RecipeError(f"prompts.corpora: {unknown[0]!r} is no corpus of this recipe: {', '.join(corpora)}")
    if unknown := [name for name in recipe.prompts.texts_by_corpus or {} if name not in (recipe.prompts.corpora or corpora)]:
        raise RecipeError(f"prompts.texts_by_corpus: {unknown[0]!r} is no corpus whose texts are spoken: {', '.join(corpora)}")
    for number, section in enumerate(recipe.clip_limits, start=1):
        try:
            section.limit.configured()
        except RecipeError as error:
            raise RecipeError(f"clip_limits, number {number}: {error}") from None
    if recipe.negatives:
        check_contrasts(
            [*recipe.positives, *recipe.negatives],
            recipe.systems,
            set(corpora),
            {role.task for role in recipe.roles} & set(_negative_roles()),
            clones={name for name, engine in recipe.engines.items() if engine.clones_voice},
            has_prompt_speech=recipe.prompts.reference != "none",
        )
    _check_labels(recipe)
    splits = {*recipe.splits.named(), *recipe.splits.released()}
    check_subsets(recipe.subsets, [rule.name for rule in recipe.filters], splits, recipe.labels_from)
    _check_teacher(recipe)
    _check_roles(recipe)
    asked = set[str]()
    for role in recipe.judges_of_pairs:
        check_judge(recipe, role)
        inquiry = Inquiry.of(plugins.configure("task", role.task), plugins.configure("judge", role.name, role.options))
        if inquiry.identity in asked:
            raise RecipeError(
                f"judges: {role.name!r} with the same model and parameters on the same task {role.task!r} is named twice; "
                "set votes for more votes"
            )
        asked.add(inquiry.identity)


def _check_reference_length(recipe: PreferenceRecipe) -> None:
    longest_s, shortest_s = recipe.prompts.reference_max_duration_s, recipe.prompts.reference_min_duration_s
    for name, engine in recipe.engines.items():
        if (limit_s := max_reference_s(engine)) < (shortest_s if longest_s is None else longest_s):
            key = "min" if longest_s is None else "max"
            raise RecipeError(f"prompts.reference_{key}_duration_s: system {name!r} takes references of at most {limit_s:g} s")


def _check_voices(system: System, known: Sequence[str]) -> None:
    for voice in system.voices or []:
        if voice not in known:
            close = get_close_matches(voice, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
            raise RecipeError(f"systems.{system.name}: engine {system.engine!r} has no voice {voice!r}, {hint}")
    if system.voices_per_prompt > len(system.voices or known):
        raise RecipeError(
            f"systems.{system.name}: voices_per_prompt is {system.voices_per_prompt}, but it has "
            f"{len(system.voices or known)} voices"
        )


def _check_licences(system: System, voices: Sequence[Voice]) -> None:
    """Refuse voices under a licence that forbids commercial use: nobody should find out from a released row."""
    for voice in voices:
        if (system.voices is None or voice.name in system.voices) and is_non_commercial(voice.license):
            raise RecipeError(
                f"systems.{system.name}: the licence of voice {voice.name!r} of engine {system.engine!r}, {voice.license}, "
                "forbids commercial use: take another voice, or say release: {allow_non_commercial: true}"
            )


def _check_takes(system: System, engine: Engine) -> None:
    """Refuse takes that the engine cannot make, and tries that would all be alike."""
    known = varies_by(engine)
    wanted = {name for take in system.all_takes for name in take.literals()}
    if fixed := sorted(wanted - set(known)):
        has = f"its takes can differ in {' and '.join(known)}" if known else "it makes one clip of a text and voice"
        raise RecipeError(f"systems.{system.name}.takes: engine {system.engine!r} has no {fixed[0]}: {has}")
    if (system.tries or 1) > 1 and "seed" not in known and not is_service(engine):
        raise RecipeError(
            f"systems.{system.name}.tries: engine {system.engine!r} makes the same clip whatever the seed: leave tries out"
        )


def _check_labels(recipe: PreferenceRecipe) -> None:
    """Refuse a source of labels that the recipe does not have."""
    match recipe.labels_from:
        case "judge" if recipe.judge is None:
            raise RecipeError("judge: is needed: labels come from its judgments; or say where else they come from: labels.from")
        case "construction" if not recipe.negatives and all(system.speaks == "target" for system in recipe.systems):
            raise RecipeError(
                "labels.from is construction, but every system speaks the target: say under negatives how one is made worse, "
                f"or let a system speak what a role writes instead ({' or '.join(_negative_roles())})"
            )
        case "ratings":
            raise RecipeError("labels.from: ratings make labels in recipes of kind rated_pairs")
        case "references":
            raise RecipeError("labels.from: references are the labels in recipes of kind answers")


def _check_teacher(recipe: PreferenceRecipe) -> None:
    """Refuse a teacher that divides a split where something before needs its judgments, or nobody is asked."""
    if (split := recipe.splits.taught) is None:
        return
    where = f"splits.sets.{split}.by_teacher"
    if recipe.judge is None:
        raise RecipeError(f"{where}: needs a judge: judge: {{name: ..., task: teacher}}")
    if recipe.labels_from != "votes":
        raise RecipeError(f"{where}: the judge is asked after the labels, but labels come from {recipe.labels_from}, not votes")
    if recipe.listening is not None and recipe.listening.of == "splits":
        raise RecipeError(f"{where}: people verify labels of a judge (listening.of: splits), but here they make them")
    shown = plugins.configure("task", recipe.judge.task).shown
    schema = release_schema(recipe.judge.task, has_negatives=bool(recipe.negatives))
    if absent := [name for name in shown if name not in schema.names]:
        raise RecipeError(f"{where}: task {recipe.judge.task!r} shows {absent[0]}, which released rows do not have")
    judged = {"judge_verdict", "total_a", "total_b", "votes_a", "votes_b", "votes_none", "order_flip", "judgment_ids"}
    for rule in recipe.filters:
        if needs := sorted(judged & set(plugins.configure("filter", rule.name, rule.options).columns)):
            raise RecipeError(f"{where}: filter {rule.name!r} needs {needs[0]} of the judge, who is asked after the filters")
    for role in recipe.roles:
        if plugins.configure("task", role.task).subject == "judgments":
            raise RecipeError(f"{where}: role {role.task!r} is about judgments, which come after all roles here: leave it out")


def check_judge(recipe: PreferenceRecipe, role: Role) -> None:
    """Check that a judge of pairs can be asked in this recipe.

    Raises:
        RecipeError: it cannot; the message says what is missing.
    """
    judge = check_role(role, "pairs")
    if recipe.prompts.reference == "none" and "reference_audio_id" in plugins.configure("task", role.task).audios.values():
        raise RecipeError(f"task {role.task!r} hears the prompt speech, but prompts.reference is none: set it to same_speaker")
    check_measured(recipe, f"judge {role.name!r}", judge.facts)
    _check_given(plugins.configure("task", role.task), {name for other in recipe.roles for name in _gives(other)})


def _gives(role: Role) -> tuple[str, ...]:
    task: TaskSpec = plugins.configure("task", role.task)
    return task.gives if task.subject == "prompts" else ()


def _check_roles(recipe: PreferenceRecipe) -> None:
    """Refuse roles, variants and systems that need a role which the recipe does not have, or has only later."""
    given: set[str] = set()
    for role in recipe.roles:
        check_role(role, "prompts", "samples", "judgments")
        task: TaskSpec = plugins.configure("task", role.task)
        if task.subject == "prompts":
            _check_given(task, given)
            given |= set(task.gives)
        if task.subject == "samples" and (unknown := sorted(set(task.shown) - {"text", "language"})):
            raise RecipeError(f"roles: task {role.task!r} shows {', '.join(unknown)}, which is not known of samples here")
    tasks = {role.task for role in recipe.roles}
    if recipe.prompts.all_variants - OF_RECORDINGS and STYLE_CONTINUATION not in tasks:
        raise RecipeError("prompts.variants: texts beside the transcript need the role style_continuation")
    for system in recipe.systems:
        if system.speaks != "target" and system.speaks not in tasks & set(_negative_roles()):
            raise RecipeError(
                f"systems.{system.name}: speaks is {system.speaks!r}; it can be target, or "
                f"{' or '.join(_negative_roles())} where the recipe has that role"
            )


def _check_given(task: TaskSpec, given: Set[str]) -> None:
    """Refuse a task that shows what only another role writes, unless that role comes before it."""
    for name in task.shown:
        writers = [other for other, task in plugins.intact("task").items() if name in task.gives and name != "text"]
        if writers and name not in given:
            raise RecipeError(f"task {task.name!r} shows {name}: add the role {' or '.join(writers)} before it")
