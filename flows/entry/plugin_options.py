"""Options of plug-ins on the command line."""

from collections.abc import Sequence

from contracts.errors import RecipeError


def options_of(given: Sequence[str]) -> dict[str, object]:
    """Read ``name=value``, the value as YAML.

    Raises:
        RecipeError: there is no ``=``, or the value is no YAML.
    """
    from contracts.yaml_mapping import yaml_value

    options: dict[str, object] = {}
    for item in given:
        name, sign, value = item.partition("=")
        if not sign:
            raise RecipeError(f"--option {item!r}: write NAME=VALUE")
        try:
            options[name] = yaml_value(value)
        except RecipeError as error:
            raise RecipeError(f"--option {item!r}: {error}") from None
    return options
