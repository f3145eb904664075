"""A manifest with its state file and provider: what every command works on."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from runner import __version__, lifecycle
from runner.admission import Admission, admit, hold_existing
from runner.apis import APIS, Api, check_base_url
from runner.bookkeeping import spent_today
from runner.errors import ConfigurationError, StateError
from runner.jobs import NOTHING, Body, Entry, Job, Limits, Rate
from runner.ledger import Ledger, Origin, StateLock, refuse_unsafe
from runner.manifest import Manifest, Services, load, with_concurrency
from runner.manifest.output import DEFAULT as OUTPUT
from runner.overview import Action, Line, Overview
from runner.recognition import Known, Listed
from runner.selection import Selection
from runner.words import Caller

EMBEDDED = "embedded"
_EMBEDDED_POLL = 1.0  # seconds: a stand-in of one's own may be asked often


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says over the manifest; None and "" leave the manifest's word."""

    manifest: Path
    state: Path | None = None
    output: str = ""
    base_url: str = ""
    sandbox: bool = False
    concurrency: int | str | None = None
    rate: Rate | None = None
    poll_interval: float | None = None
    resubmit_uncertain: bool = False
    accept_changes: bool = False
    only: tuple[str, ...] = ()
    first: int | None = None
    sample: int | None = None
    max_tasks: int | None = None

    @property
    def selection(self) -> Selection:
        """Which jobs may be bought."""
        return Selection(self.only, self.first, self.sample)

    @property
    def purchase(self) -> tuple[str, ...]:
        """What on the command line says what is bought, to be said again to buy the same."""
        counts = {"first": self.first, "sample": self.sample, "max-tasks": self.max_tasks}
        given = [f"--{name}={number}" for name, number in counts.items() if number is not None]
        changes = ["--accept-changes"] if self.accept_changes else []
        return (*(f"--only={name}" for name in self.only), *given, *changes)

    @property
    def repeated(self) -> tuple[str, ...]:
        """The words that say what a batch is: without them a command works on another one."""
        given = {
            "--state": str(self.state or ""),
            "--output": self.output,
            "--base-url": self.base_url,
        }
        words = [word for name, value in given.items() if value for word in (name, value)]
        return (*words, *["--sandbox"] * self.sandbox)


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that is known before the state file is touched. Made by `prepare`."""

    manifest: Manifest
    options: Options
    api: Api
    base_url: str
    state_file: Path
    limits: Limits

    @property
    def name(self) -> str:
        """What the batch is called; a rehearsal has a name of its own."""
        return self.manifest.name

    @property
    def rehearsal(self) -> bool:
        """Whether the stand-in takes the place of the provider that the manifest names."""
        return _rehearses(self.options, self.manifest)

    @property
    def services(self) -> Services:
        """Whom a run tells. A rehearsal tells nobody and starts nothing."""
        return Services() if self.rehearsal else self.manifest.services

    @property
    def embedded(self) -> bool:
        """Whether the provider is a sandbox that lives and ends with this run."""
        return self.base_url == EMBEDDED

    @property
    def origin(self) -> Origin:
        """What the state file's task ids belong to."""
        return Origin(self.api.name, self.base_url)

    @property
    def caller(self) -> Caller:
        """How commands to copy begin and end, so that they work on this very batch."""
        return Caller(program_name(), str(self.manifest.path), self.options.repeated)

    def place(self, id: str, body: Body, entry: Entry | None = None) -> Path:
        """Where a job's video belongs; its entry, if it has one, knows the table's columns."""
        return self.manifest.output_path(id, body, entry.labels if entry else {})

    def place_of(self, ledger: Ledger, job: Job) -> Path:
        """The same, for a job of a state file that is in line with the manifest."""
        entry = self._entry_of(ledger, job) if self.manifest.has_labels else None
        return self.place(job.id, job.body, entry)

    def tags_of(self, ledger: Ledger, job: Job) -> dict[str, str]:
        """What is written inside a job's video, name -> text."""
        entry = self._entry_of(ledger, job) if self.manifest.has_facts else None
        return self.manifest.tags(job.id, job.body, entry.facts if entry else {})

    def _entry_of(self, ledger: Ledger, job: Job) -> Entry | None:
        position = ledger.position(job)
        return None if position is None else self.manifest.entries[position]

    def admit(self, jobs: Known) -> Admission:
        """Hold the manifest against these jobs, and against what is on disk."""
        found = admit(self.manifest.entries, jobs, accept_changes=self.options.accept_changes)
        taken = {entry.id for entry in found.new if _exists(self.manifest.place(entry))}
        return hold_existing(found, taken)

    def overview(self, admission: Admission, ledger: Ledger | None = None) -> Overview:
        """The batch as it is shown to people; the ledger tells what was spent today."""
        today = spent_today(ledger, self.limits, time.time()) if ledger else NOTHING
        manifest = str(self.manifest.path)
        chosen = self._chosen(admission)
        return Overview(
            self.caller,
            self.name,
            manifest,
            self.state_file,
            admission,
            chosen=chosen,
            today=today,
        )

    def _chosen(self, admission: Admission) -> bytes | None:
        """One byte an entry, 1 if it may be bought; None when all may."""
        selection = self.options.selection
        if not selection:
            return None
        if unknown := selection.unknown(admission.ids_asked()):
            refuse_unknown(unknown, list(admission.ids_asked()), "in the manifest")
        return selection.mask(admission.ids_asked())

    @contextmanager
    def view(self, *, to_run: bool = False) -> Iterator[tuple[Overview, tuple[int, int]]]:
        """The batch as it stands, and what was spent, without touching or locking anything.

        `to_run`: raises `StateError` where a run would: the state file is another provider's, or
        could pay twice.
        """
        if to_run:
            refuse_unsafe(self.state_file)
        ledger = Ledger.read(self.state_file)
        if ledger is None:
            yield self.overview(self.admit(Listed())), (0, 0)
            return
        with closing(ledger), ledger.still():
            if to_run:
                ledger.refuse_other(self.origin, lifecycle.FREE)
            yield self.overview(self.admit(ledger), ledger), ledger.spent()

    def make_folder(self) -> None:
        """Make the state file's folder. Raises `StateError`."""
        try:
            self.state_file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(f"{self.state_file.parent}: {error.strerror}") from None

    def jobs(self) -> Iterator[Line]:
        """Every job as it stands, one after the other; locks nothing."""
        with self.view() as (view, _):
            yield from view.lines

    @contextmanager
    def opened(self, command: str) -> Iterator[Ledger]:
        """The state file, locked and opened for writing, with a run begun in it.

        Raises `LockedError` when another process holds it, `StateError` when it is unusable
        or belongs to another provider.
        """
        self.make_folder()
        with StateLock(self.state_file):
            ledger = Ledger.open(self.state_file)
            try:
                ledger.pin(self.origin, lifecycle.FREE)
                ledger.begin_run(command, __version__, str(self.manifest.path), time.time())
                yield ledger
            finally:
                ledger.close()

    def check_folders(self, view: Overview) -> None:
        """Refuse output folders that can't be written, before anything is paid for."""
        coming = view.of(Action.SUBMIT, Action.RESUME)
        for folder in sorted(
            {self.place(line.id, line.body, line.entry).parent for line in coming}
        ):
            there = next(
                path for path in (folder.absolute(), *folder.absolute().parents) if path.exists()
            )
            if not there.is_dir():
                raise ConfigurationError(f"{folder}: {there} is a file, not a folder")
            if not os.access(there, os.W_OK | os.X_OK):
                raise ConfigurationError(f"{folder}: no permission to write in {there}")


def prepare(options: Options, environment: Mapping[str, str] = os.environ) -> Batch:
    """Read the manifest and settle what it and the options mean together.

    Raises `ManifestError`, `ConfigurationError`. Nothing is written or sent.
    """
    manifest = load(options.manifest)
    api = APIS["sandbox" if options.sandbox else manifest.provider]
    if _rehearses(options, manifest):
        apart = manifest.output if "{name}" in manifest.output else OUTPUT
        manifest = replace(manifest, name=f"{manifest.name}-sandbox", output=apart)
    if options.output:
        manifest = manifest.with_output(options.output)
    limits = with_concurrency(manifest.limits, options.concurrency)
    if options.max_tasks is not None:
        limits = replace(limits, per_run=replace(limits.per_run, tasks=options.max_tasks))
    if options.rate is not None:
        limits = replace(limits, rate=options.rate)
    if options.poll_interval is not None:
        limits = replace(limits, poll_interval=options.poll_interval)
    base_url = _base_url(options, api, environment)
    if base_url == EMBEDDED and options.poll_interval is None:
        limits = replace(limits, poll_interval=min(limits.poll_interval, _EMBEDDED_POLL))
    return Batch(
        manifest=manifest,
        options=options,
        api=api,
        base_url=base_url,
        state_file=_real(options.state or Path("state") / f"{manifest.name}.db"),
        limits=replace(limits, resubmit_uncertain=options.resubmit_uncertain),
    )


def _rehearses(options: Options, manifest: Manifest) -> bool:
    return options.sandbox and manifest.provider != "sandbox"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None


def _real(path: Path) -> Path:
    """The file itself, so that two names of it share one lock."""
    return path.resolve() if path.is_symlink() else path


def _base_url(options: Options, api: Api, environment: Mapping[str, str]) -> str:
    if options.sandbox:
        return EMBEDDED
    given = options.base_url or environment.get("RUNNER_BASE_URL", "") or api.base_url
    return check_base_url(given) if given else EMBEDDED


def program_name(argv0: str = sys.argv[0]) -> str:
    """How the operator called this program, so that commands shown can be copied."""
    called = Path(argv0)
    if called.name == "__main__.py":
        return "python -m runner"
    if called.stem != "runner":  # a program that uses the package
        return "runner"
    found = shutil.which(called.name)
    if found and Path(found).absolute() == called.absolute():
        return called.name
    with suppress(ValueError):
        return str(called.absolute().relative_to(Path.cwd()))
    return str(called)


def refuse_unknown(ids: Collection[str], known: Collection[str], status: str) -> None:
    """Refuse ids that are not among the known ones, all at once, each with the nearest."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistyped id needs it

    unknown = [id for id in ids if id not in known]
    if not unknown:
        return
    near_ones = [*islice(known, 10_000)]  # of a million, finding the nearest would take a minute
    words = []
    for id in unknown:
        near = get_close_matches(id, near_ones, 1)
        words.append(f"{id} is not {status}" + (f"; did you mean {near[0]}?" if near else ""))
    raise ConfigurationError("\n".join(words))


def bring_in_line(ledger: Ledger, admission: Admission, now: float) -> None:
    """Write what the manifest asks into the state file: new, edited, renamed and removed jobs."""
    changes = ((job, event, lifecycle.apply(job, event, now)) for job, event in admission.changes())
    ledger.mirror(changes, admission.additions(), admission.moves(), admission.removed, now)
