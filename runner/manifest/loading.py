"""The manifest as the rest of the runner sees it, and how it is loaded."""

from __future__ import annotations

import gc
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.compact import Recurring
from runner.errors import ConfigurationError, Finding
from runner.jobs import Body, Entry, Limits
from runner.manifest import document, kinds, metadata, output, source, tree
from runner.manifest.findings import Findings, UnusableError
from runner.manifest.services import Services
from runner.manifest.templates import Template
from runner.manifest.values import shown

_INIT_HINT = "`runner init` writes one to begin with"
_BEGIN_HINT = "begin with `version: 1`"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole manifest, checked. `entries` are in order: jobs, then matrix, then catalog.

    `provider` is cometapi, runway or sandbox; `runway_version` the header X-Runway-Version;
    `output` the template of the videos' paths; with `sidecar`, each gets a JSON file beside it.
    `poster` is the kind of picture that each gets, jpg or webp or ""; `metadata` the texts inside
    them. `preflight` is strict, warn or off.
    """

    path: Path
    name: str
    provider: str
    runway_version: str
    output: str
    limits: Limits
    entries: Sequence[Entry]
    warnings: tuple[Finding, ...]
    sidecar: bool = False
    poster: str = ""
    metadata: tuple[Template, ...] = ()
    preflight: str = "off"
    services: Services = field(default_factory=Services)

    def output_path(self, id: str, body: Body, labels: Mapping[str, str]) -> Path:
        """Where the video of this id and request goes; as relative as the template is.

        `labels` are those of its entry, {} for a job without one.
        """
        return Path(output.fill(self.output, self.name, id, body, labels))

    def tags(self, id: str, body: Body, facts: Mapping[str, str]) -> dict[str, str]:
        """The texts inside the video of this id and request, name -> text.

        `facts` are those of its entry, {} for a job without one.
        """
        return metadata.fill(self.metadata, id, body, facts)

    def place(self, entry: Entry) -> Path:
        """Where the video of an entry goes."""
        return Path(self.place_text(entry))

    def place_text(self, entry: Entry) -> str:
        """The same as it is written, for a million of them."""
        return output.fill(self.output, self.name, entry.id, entry.body, entry.labels)

    @property
    def has_labels(self) -> bool:
        """Whether the table's columns are in the videos' paths."""
        return bool(output.columns(self.output))

    @property
    def has_facts(self) -> bool:
        """Whether the table's columns are in the texts inside the videos."""
        return bool(metadata.of_columns(self.metadata))

    def with_output(self, text: str) -> Manifest:
        """The same manifest with another template or folder. Raises ConfigurationError."""
        moved = replace(self, output=output.output_template(text))
        for entry, first in _collisions(moved):
            both = f"{shown(first.id)} and {shown(entry.id)}"
            raise ConfigurationError(f"output: {both} would both be {moved.place(entry)}")
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
            sidecar=settings.sidecar,
            poster=settings.poster,
            metadata=settings.metadata,
            preflight=settings.preflight,
            services=services,
        )
        for entry, first in _collisions(manifest):
            where = f"{first.file}:{first.line}"
            message = f"{shown(entry.id)} would have the same output as {shown(first.id)} ({where})"
            finding = Finding(
                entry.file, entry.line, 0, "output", message, "set {id} apart from it"
            )
            findings.mistake(finding)
        for entry, part in _too_long(manifest):
            message = f"{shown(part)} is {len(part.encode())} bytes long as a file's name"
            hint = f"at most {output.MAX_PART}"
            findings.mistake(Finding(entry.file, entry.line, 0, "output", message, hint))
        return replace(manifest, warnings=findings.check())


def _root(path: Path, findings: Findings) -> tree.Table:
    """The manifest's tree. Raises ManifestError when nothing more can be made of it."""
    try:
        if wrong := kinds.no_manifest(path):
            raise UnusableError(Finding(str(path), 0, 0, "", *wrong))
        begin = kinds.list_hint(path) or _BEGIN_HINT
        return source.table(path, findings, kinds.neighbour(path) or _INIT_HINT, begin)
    except UnusableError as problem:
        findings.mistake(problem.finding)
        findings.check()
        raise


def _too_long(manifest: Manifest) -> Iterator[tuple[Entry, str]]:
    """Entries whose cells make a name that no file system takes, each with that name."""
    if manifest.has_labels:
        for entry in manifest.entries:
            if part := output.too_long(manifest.place_text(entry)):
                yield entry, part


def _collisions(manifest: Manifest) -> Iterator[tuple[Entry, Entry]]:
    """Entries whose video would overwrite that of an earlier entry, each with that entry."""
    if not output.may_collide(manifest.output):
        return

    def place(entry: Entry) -> str:
        return unicodedata.normalize("NFC", manifest.place_text(entry))

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
