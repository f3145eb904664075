"""Reads one YAML file of a manifest: its bytes, their text, and the mapping it must be."""

from __future__ import annotations

from pathlib import Path

from runner.errors import Finding
from runner.manifest import tree
from runner.manifest.findings import Findings, UnusableError

MAX_SIZE = 64 << 20
_CATALOG_HINT = "move the jobs into a .csv or .jsonl catalog"


def table(path: Path, findings: Findings, absent: str, begin: str) -> tree.Table:
    """The mapping that a file holds. Raises UnusableError when nothing more can be made of it.

    `absent` and `begin` are the hints for a file that is not there (or empty), or no mapping.
    """
    root = tree.parse(_text(path, absent), str(path), findings)
    if root is None:
        raise UnusableError(Finding(str(path), 0, 0, "", "is empty", absent))
    if not isinstance(root, tree.Table):
        message = "is not a mapping of fields"
        raise UnusableError(Finding(str(path), root.line, root.column, "", message, begin))
    return root


def _text(path: Path, absent: str) -> str:
    """The text of a file. Raises UnusableError."""

    def unusable(message: str, line: int = 0, hint: str = "") -> UnusableError:
        return UnusableError(Finding(str(path), line, 0, "", message, hint))

    try:
        if path.is_dir():
            raise unusable("is a folder", hint="name the manifest in it")
        if path.exists() and not path.is_file():
            raise unusable("is not a file")
        with path.open("rb") as stream:
            data = stream.read(MAX_SIZE + 1)
        if len(data) > MAX_SIZE:
            raise unusable(f"larger than {MAX_SIZE >> 20} MiB", hint=_CATALOG_HINT)
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        raise unusable("there is no such file", hint=absent) from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise unusable("is not UTF-8 text", line, "save it as UTF-8") from None
    except OSError as error:
        raise unusable(f"can't be read: {error.strerror or error}") from None
    except ValueError:
        raise unusable("that can't be a file's name") from None
