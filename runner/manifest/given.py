"""A field's value from outside a manifest: an option, or an argument of the library."""

from __future__ import annotations

from typing import Any

from runner.errors import ConfigurationError
from runner.manifest.fields import TOP
from runner.manifest.values import InvalidError


def read_field(name: str, value: object) -> Any:
    """What a value means as the manifest's field of this name; None stays None.

    Raises `ConfigurationError` for what the manifest refuses, in the same words.
    """
    if value is None:
        return None
    parse = TOP[name].parse
    assert parse is not None, name
    try:
        return parse(str(value))
    except InvalidError as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise ConfigurationError(f"{name}: {error.message}{hint}") from None
