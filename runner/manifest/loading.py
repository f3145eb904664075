"""The manifest as the rest of the runner sees it, and how it is loaded."""

from __future__ import annotations

import gc
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.compact import Recurring
from runner.errors import ConfigurationError, Finding
from runner.jobs import Body, Entry, Limits
from runner.manifest import document, output, tree
from runner.manifest.findings import Findings, UnusableError
from runner.manifest.services import Services
from runner.manifest.values import shown

MAX_SIZE = 64 << 20
_INIT_HINT = "`runner init` writes one to begin with"
_CATALOG_HINT = "move the jobs into a .csv or .jsonl catalog"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole manifest, checked. `entries` are in order: jobs, then matrix, then catalog.

    `provider` is cometapi, runway or sandbox; `runway_version` the header X-Runway-Version;
    `output` the template of the videos' paths.
    """

    path: Path
    name: str
    provider: str
    runway_version: str
    output: str
    limits: Limits
    entries: Sequence[Entry]
    warnings: tuple[Finding, ...]
    services: Services = field(default_factory=Services)

    def output_path(self, id: str, body: Body) -> Path:
        """Where the video of this id and request goes; as relative as the template is."""
        return output.fill(self.output, self.name, id, body)

    def with_output(self, text: str) -> Manifest:
        """The same manifest with another template or folder. Raises ConfigurationError."""
        moved = replace(self, output=output.output_template(text))
        for entry, first in _collisions(moved):
            path = moved.output_path(entry.id, entry.body)
            message = f"output: {shown(first.id)} and {shown(entry.id)} would both be {path}"
            raise ConfigurationError(message)
        return moved


def load(path: Path) -> Manifest:
    """Read and check a manifest and its catalog; nothing else is touched.

    Raises ManifestError with every finding.
    """
    findings = Findings()
    with _collector_paused():
        root = _root(path, findings)
        settings, services, entries = document.read(path, root, findings)
        manifest = Manifest(
            path=path,
            name=settings.name,
            provider=settings.provider,
            runway_version=settings.runway_version,
            output=settings.output,
            limits=settings.limits,
            entries=entries,
            warnings=(),
            services=services,
        )
        for entry, first in _collisions(manifest):
            where = f"{first.file}:{first.line}"
            message = f"{shown(entry.id)} would have the same output as {shown(first.id)} ({where})"
            finding = Finding(
                entry.file, entry.line, 0, "output", message, "set {id} apart from it"
            )
            findings.mistake(finding)
        return replace(manifest, warnings=findings.check())


def _read(path: Path) -> str:
    """The text of a manifest. Raises UnusableError."""

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
        raise unusable("there is no such file", hint=_INIT_HINT) from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise unusable("is not UTF-8 text", line, "save it as UTF-8") from None
    except OSError as error:
        raise unusable(f"can't be read: {error.strerror or error}") from None
    except ValueError:
        raise unusable("that can't be a file's name") from None


def _root(path: Path, findings: Findings) -> tree.Table:
    """The manifest's tree. Raises ManifestError when nothing more can be made of it."""
    try:
        root = tree.parse(_read(path), str(path), findings)
        if root is None:
            raise UnusableError(Finding(str(path), 0, 0, "", "is empty", _INIT_HINT))
        if not isinstance(root, tree.Table):
            hint = "begin with `version: 1`"
            message = "is not a mapping of fields"
            raise UnusableError(Finding(str(path), root.line, root.column, "", message, hint))
    except UnusableError as problem:
        findings.mistake(problem.finding)
        findings.check()
        raise
    return root


def _collisions(manifest: Manifest) -> Iterator[tuple[Entry, Entry]]:
    """Entries whose video would overwrite that of an earlier entry, each with that entry."""
    if not output.may_collide(manifest.output):
        return

    def place(entry: Entry) -> str:
        return unicodedata.normalize("NFC", str(manifest.output_path(entry.id, entry.body)))

    places = Recurring()
    for entry in manifest.entries:
        places.add(place(entry))
    if (recurs := places.found()) is None:
        return
    owners: dict[str, Entry] = {}
    for entry in manifest.entries:
        if recurs(where := place(entry)) and (first := owners.setdefault(where, entry)) != entry:
            yield entry, first


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Nothing here makes cycles, and the collector would walk a million live values for nothing.

    It is two thirds of the time that a manifest of 100,000 jobs takes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
