"""Options of a command from the fields of its settings: name, type, default and help.

A field with a `Help` is an option. A `Literal` is a choice, a list is comma-separated or a repeated option, and settings inside
settings add their own fields.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from basam.checks import validated
from basam.cli.options import (
    join,
    option_of,
    parse_bands,
    parse_bytes,
    parse_list,
    parse_long_side,
    parse_max_pixels,
    parse_sizes,
    short_number,
    split_names,
)
from basam.help import MODEL, Changes, Help
from basam.method import BiasMode

# Parsers of values with a form of their own, by `Help.metavar`.
FORMS: dict[str, Callable[[Any], Any]] = {
    "N|none": parse_max_pixels,
    "BYTES": parse_bytes,
    "N|R,G,B": parse_bands,
    "auto|native|N": parse_long_side,
}
PLAIN = (bool, int, float, str, Path)


class Option(NamedTuple):
    """A field of settings as an option; `kind` is its type without limits and None, `inner` the options of nested settings."""

    name: str
    kind: Any
    default: Any
    help: Help | None
    inner: list[Option]

    @property
    def flag(self) -> str:
        return self.help.option if self.help and self.help.option else "--" + self.name.replace("_", "-")


def bare(hint: Any) -> Any:
    """A type without annotations and without None."""
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    kinds = [kind for kind in get_args(hint) if kind is not NoneType] if get_origin(hint) in (Union, UnionType) else []
    return bare(kinds[0]) if len(kinds) == 1 else hint


def default_of(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return ... if field.default is MISSING else field.default


def options_of(settings: Any) -> list[Option]:
    """The options of a class of settings, in the order of its fields."""
    hints = get_type_hints(settings, include_extras=True)
    options = []
    for field in fields(settings):
        hint, kind = hints[field.name], bare(hints[field.name])
        marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        help_ = next((mark for mark in marks if isinstance(mark, Help)), None)
        changes = next((mark for mark in marks if isinstance(mark, Changes)), None)
        inner: list[Option] = options_of(kind) if help_ is None and is_dataclass(kind) else []
        if changes is not None:
            inner = [option._replace(default=None) for option in options_of(changes.of)]
        if help_ is not None or inner:
            options.append(Option(field.name, kind, default_of(field), help_, inner))
    return options


def flat(options: list[Option]) -> Iterator[Option]:
    for option in options:
        yield from flat(option.inner) if option.help is None else [option]


def parameter(option: Option) -> inspect.Parameter:
    """The parameter that typer makes the option from."""
    assert option.help is not None
    kind, default, words = option.kind, option.default, option.help
    form = FORMS.get(words.metavar)
    if form is not None and kind not in PLAIN:
        kind = str  # its parser returns another type
    elif get_origin(kind) is tuple:
        kind = list[str] if words.repeat else str
        default = ... if default is ... else None if not default else join(default)
    elif kind is BiasMode:
        kind = Path
    elif form is None and kind not in PLAIN and get_origin(kind) is not Literal:
        kind, default = str, default if default is None else str(default)
    shown = words.unset or (default is not None and default is not ... and short_number(words.metavar, default))
    flag = f"{option.flag}/--no-{option.flag[2:]}" if kind is bool and default is not False else option.flag
    made = option_of(words, *flag.split(","), show_default=shown, parser=form)
    annotation = kind if default is ... else kind | None if default is None else kind
    default = inspect.Parameter.empty if default is ... else default
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[annotation, made]
    )


def with_options(*settings: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of `settings` before its own; it gets their values as keywords, for `settings_of`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True).parameters.values()
        named = [one.replace(kind=one.KEYWORD_ONLY) for one in own if one.kind is not one.VAR_KEYWORD]
        parameters = [parameter(option) for one in settings for option in flat(options_of(one))] + named
        vars(command)["__signature__"] = inspect.Signature(parameters)
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        return command

    return decorate


def settings_of(settings: Any, given: Mapping[str, Any], **more: Any) -> Any:
    """Settings from the values of options; `more` are fields without an option.

    Raises:
        typer.BadParameter, BasamError: a value that is not valid, with the option's name.
    """
    values = {}
    hints = get_type_hints(settings, include_extras=True)
    for option in options_of(settings):
        if get_origin(option.kind) is dict:
            values[option.name] = {one.name: given[one.name] for one in option.inner if given[one.name] is not None}
        elif option.inner:
            values[option.name] = settings_of(option.kind, given)
        else:
            values[option.name] = value_of(option, given[option.name])
            if option.help is not None and option.help.option:  # errors name the option, not the field
                validated(values[option.name], hints[option.name], option.flag)
    return settings(**values, **more)


def value_of(option: Option, value: Any) -> Any:
    """The value in the form that the settings take."""
    if option.help == MODEL:
        from basam.model import check_model_name

        check_model_name(value)
    if option.kind is BiasMode and value is not None:
        from basam.model import read_mode

        return read_mode(value)
    if get_origin(option.kind) is not tuple or (option.help is not None and option.help.metavar in FORMS):
        return value
    if value is None:
        return ()
    item = get_args(option.kind)[0]
    if option.help is not None and option.help.repeat:
        words = tuple(value)
    elif bare(item) is int:
        return tuple(parse_list(option.flag, value, int, "512,1024"))
    elif item == int | str:
        return parse_sizes(value)
    else:
        words = split_names(option.flag, value)
    return tuple(map(item.parse, words)) if hasattr(item, "parse") else words
