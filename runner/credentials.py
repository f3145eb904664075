"""The API key: from a file or the environment, never from an argument, never in an error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from runner.apis import Api
from runner.errors import ConfigurationError


def read_key(api: Api, key_file: Path | None, environment: Mapping[str, str] = os.environ) -> str:
    """The API key, from the file or the provider's own variable; never from an argument.

    Raises `ConfigurationError`, whose text never holds the key.
    """
    if not api.key_variable:
        return "sandbox"
    if key_file is not None:
        source = str(key_file)
        key = _key_in(key_file)
    else:
        source = api.key_variable
        key = environment.get(source, "").strip()
    if not key:
        raise ConfigurationError(
            f"no API key: set {api.key_variable} in the environment, or name a file with "
            "--key-file; to try it all without a key, add --sandbox"
        )
    return check_key(key, source)


def _key_in(key_file: Path) -> str:
    """The key in a file, without the white space around it."""
    try:
        key = key_file.read_text("utf-8").strip()
    except FileNotFoundError:
        raise ConfigurationError(f"{key_file}: there is no such key file") from None
    except OSError as error:
        words = f"{key_file}: the key file can't be read: {error.strerror}"
        raise ConfigurationError(words) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{key_file}: the key file is not text") from None
    if not key:
        raise ConfigurationError(f"{key_file}: the key file is empty: put the key into it, alone")
    if len(key.split()) > 1:
        words = f"{key_file}: there is more than a key in it: one line, the key alone"
        raise ConfigurationError(words)
    return key


def check_key(key: str, source: str) -> str:
    """The key itself. Raises `ConfigurationError`, which never holds it, for what can't be one."""
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(
            f"{source}: what is there can't be an API key (one line of printable ASCII)"
        )
    return key
