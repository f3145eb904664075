"""A manifest's tree -> its settings and entries: what stands under which heading."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.compact import Entries
from runner.errors import Finding
from runner.manifest import catalog, metadata, output, services, settings, shared
from runner.manifest.columns import Wanted
from runner.manifest.entries import MAX_JOBS, Intake, Row
from runner.manifest.fields import AXES, CATALOG, JOB, TOP
from runner.manifest.findings import AbsentError, Findings
from runner.manifest.reader import Reader, kind
from runner.manifest.services import Services
from runner.manifest.settings import Settings
from runner.manifest.templates import Slot, Template
from runner.manifest.tree import Node, Series, Table, Text

SOURCES = frozenset({"jobs", "matrix", "catalog"})


def read(path: Path, root: Table, findings: Findings) -> tuple[Settings, Services, Entries]:
    """The settings, services and entries of a manifest. What is wrong goes to the findings."""
    reader = Reader(str(path), findings)
    top, faulty = reader.meant(root, TOP, "")
    general = settings.read(path, top, faulty, reader)
    common = shared.read(path, top, reader)
    limits = general.limits
    kept = (limits.per_day, limits.per_run, limits.confirm_above)
    budgeted = limits.budget_cost is not None or any(each.cost is not None for each in kept)
    common = common._replace(labels=output.columns(general.output), metadata=general.metadata)
    intake = Intake(general.provider, common, general.price, budgeted, findings)
    _jobs(top.get("jobs"), intake, reader)
    _matrix(top, intake, reader)
    _catalog(path, top, intake, reader)
    given = (root.items.keys() | faulty) & SOURCES
    if not given or (not intake.taken and findings.clean):
        hint = "add `jobs`, `matrix` or `catalog`"
        findings.mistake(Finding(reader.file, 0, 0, "", "there are no jobs in it", hint))
    return general, services.read(top, reader), intake.entries()


def _jobs(node: Node | None, intake: Intake, reader: Reader) -> None:
    if node is None:
        return
    if not isinstance(node, Series):
        names = node.items if isinstance(node, Table) else {}
        stuck = next((name for name in names if name.startswith("-")), "")
        hint = "write a space after the dash" if stuck else "begin each with `- `"
        reader.mistake(node, "jobs", f"must be a list, not {kind(node)}", hint)
        return
    if not node.items:
        reader.mistake(node, "jobs", "is empty", "remove it, or add jobs to it")
    for index, item in enumerate(node.items):
        prefix = f"jobs[{index}]."
        if not _room(intake, item, "jobs", reader):
            return
        if not isinstance(item, Table):
            message = f"must be a mapping, not {kind(item)}"
            word = item.text.partition(":")[0] if isinstance(item, Text) else ""
            stuck = f"write a space after `{word}:`" if word in JOB else ""
            reader.mistake(
                item, prefix[:-1], message, stuck or "write it like `- image: https://…`"
            )
            continue
        cells, faulty = reader.job(item, JOB, prefix)
        row = Row(reader.file, item.line, prefix=prefix, faulty=faulty)
        intake.add(shared.filled(row.written(cells), intake.shared, reader))


def _matrix(top: Mapping[str, Node], intake: Intake, reader: Reader) -> None:
    node = top.get("matrix")
    if not isinstance(node, Table):
        reader.section(top, "matrix", AXES)
        return
    if not node.items:
        reader.mistake(node, "matrix", "is empty", "remove it, or add `images` to it")
        return
    lists, faulty = reader.meant(node, AXES, "matrix.")
    axes = {AXES[name].name: _axis(name, listed, reader) for name, listed in lists.items()}
    wrong = frozenset(
        {AXES[name].name for name in faulty if name} | {name for name in axes if not axes[name]}
    )
    axes = {name: axis for name, axis in axes.items() if axis}
    size = math.prod(len(axis) for axis in axes.values())
    if intake.taken + size > MAX_JOBS:
        message = f"makes {size:,} jobs; a manifest has at most {MAX_JOBS:,}"
        reader.mistake(node, "matrix", message)
        return
    for combination in itertools.product(*axes.values()):
        cells = dict(zip(axes, combination, strict=True))
        line = cells["image"].line if "image" in cells else node.line
        row = Row(reader.file, line, {}, "matrix.", "s", axes=tuple(axes), faulty=wrong)
        intake.add(shared.filled(row.written(cells), intake.shared, reader))


def _axis(name: str, node: Node, reader: Reader) -> list[Text]:
    """The usable values of one axis."""
    path = f"matrix.{name}"
    if not isinstance(node, Series):
        reader.mistake(node, path, f"must be a list, not {kind(node)}", "put it in brackets: [ … ]")
        return []
    if not node.items:
        reader.mistake(node, path, "is empty", "remove it, or add values to it")
    return [
        item
        for index, item in enumerate(node.items)
        if reader.convert(item, AXES[name].parse, f"{path}[{index}]") is not None
        and isinstance(item, Text)
    ]


def _catalog(path: Path, top: Mapping[str, Node], intake: Intake, reader: Reader) -> None:
    node = top.get("catalog")
    if not isinstance(node, Table):
        reader.section(top, "catalog", CATALOG)
        return
    given, wrong = reader.meant(node, CATALOG, "catalog.")
    file = reader.value(given, CATALOG["file"], "catalog.")
    if "file" not in {*given, *wrong}:
        reader.mistake(node, "catalog.file", "is missing", "name the table's file")
    columns: Mapping[str, Text] | None = None
    templates: Mapping[str, Template] = {}
    faulty = frozenset(JOB) if "columns" in wrong else frozenset[str]()
    mapping = given.get("columns")
    if isinstance(mapping, Table):
        cells, faulty = reader.job(mapping, JOB, "catalog.columns.")
        columns, templates, broken = shared.split(cells, "catalog.columns.", reader)
        faulty |= broken
    elif mapping is not None:
        reader.section(given, "columns", JOB, "catalog.")
        faulty = frozenset(JOB)
    if file is None:
        return
    before = intake.taken
    wanted = Wanted(
        columns,
        {**intake.shared.templates, **templates},
        image_needed="image" not in faulty and not intake.shared.has_image,
        inside=metadata.of_columns(intake.shared.metadata),
        names=_names(top.get("output"), intake.shared.labels, reader),
        file=reader.file,
    )
    try:
        for row in catalog.rows(path.parent / file, wanted, reader.findings):
            if not _room(intake, given["file"], "catalog.file", reader):
                return
            intake.add(row._replace(faulty=row.faulty | faulty) if faulty else row)
    except AbsentError as problem:
        words = f"{problem.finding.message}: {file}"
        reader.mistake(given["file"], "catalog.file", words, problem.finding.hint)
        return
    if intake.taken == before and reader.findings.clean:
        reader.warn(given["file"], "catalog.file", "the table has no rows")


def _names(node: Node | None, labels: Sequence[str], reader: Reader) -> Template | None:
    """The columns that `output` names, as what has to be filled in for each row."""
    if node is None or not labels:
        return None
    slots = tuple(Slot(name, None) for name in labels)
    return Template(slots, reader.file, node.line, node.column, "output")


def _room(intake: Intake, node: Node, path: str, reader: Reader) -> bool:
    if intake.taken < MAX_JOBS:
        return True
    reader.mistake(node, path, f"too many jobs; a manifest has at most {MAX_JOBS:,}")
    return False
