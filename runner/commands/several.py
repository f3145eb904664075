"""Several manifests in one call: found, worked on in turn, and summed up in one exit code."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import anyio

from runner import notify
from runner.commands.session import How, interruptible, work_on
from runner.errors import (
    ConfigurationError,
    DisplacedError,
    ExitCode,
    LockedError,
    RunnerError,
    in_words,
    worst,
)
from runner.jobs import Stop
from runner.log import Log

_SUFFIXES = {".yaml", ".yml"}
_SOURCE = re.compile(rb"""(?:^|[{,][ ]*)["']?(?:jobs|matrix|catalog)["']?[ ]*:""", re.MULTILINE)


def find(paths: Sequence[Path]) -> list[Path]:
    """The manifests that these paths name; a folder stands for those right in it, by name.

    Raises `ConfigurationError` for a folder without any.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        for each in _inside(path) if path.is_dir() else [path]:
            found.setdefault(each.absolute(), each)
    return list(found.values())


def _inside(folder: Path) -> list[Path]:
    try:
        manifests = [each for each in sorted(folder.iterdir()) if _is_manifest(each)]
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: {error.strerror}") from None
    if not manifests:
        raise ConfigurationError(
            f"{folder}: no manifest in this folder (*.yaml or *.yml with jobs, matrix or catalog)"
        )
    return manifests


def _is_manifest(path: Path) -> bool:
    """Whether a file is meant as a manifest: other YAML files may lie beside it."""
    hidden = path.name.startswith(".")
    if hidden or path.suffix.lower() not in _SUFFIXES or not path.is_file():
        return False
    return _SOURCE.search(path.read_bytes()) is not None


def share(left: float | None, waiting: int) -> float | None:
    """How long the next of so many waiting manifests may take, of the time that is left."""
    return None if left is None else max(0.0, left) / waiting


def work_through(
    paths: Sequence[Path],
    *,
    deadline: float | None,
    log_format: str,
    heartbeat: str | None,
    on_uncertain: str,
    once: bool = False,
    **given: Any,
) -> ExitCode:
    """Work on every manifest in turn. One that can't be worked on doesn't stop the others."""
    log = Log(structured=log_format == "json")
    if log.structured and given["progress"] == "live":
        raise ConfigurationError("--log-format json doesn't go with --progress live")
    given["resubmit_uncertain"] = on_uncertain == "resubmit"
    manifests = find(paths)
    if len(manifests) > 1:
        _refuse_shared(given)
    of_how = {each.name for each in fields(How)}
    shown = {name: given.pop(name) for name in of_how & given.keys()}
    hidden = (heartbeat.removeprefix("env:"),) if heartbeat else ()
    url = notify.resolved(heartbeat or "", "--heartbeat", os.environ)
    with interruptible():
        _beat(url, "start", log, shown["quiet"])
        began = time.monotonic()
        codes: list[ExitCode] = []
        claimed: dict[Path, Path] = {}
        well = True
        for number, path in enumerate(manifests):
            left = None if deadline is None else deadline - (time.monotonic() - began)
            limit = deadline if once else share(left, len(manifests) - number)
            how = How(once=once, deadline=limit, log=log, hidden=hidden, **shown)
            try:
                with interruptible():
                    outcome = work_on(path, given, how, claimed)
                code, over = outcome.exit_code, outcome.stopped is Stop.INTERRUPT
                well = well and outcome.news.well
            except RunnerError as error:
                if len(manifests) == 1 and not log.structured and not _kept_quiet(error, how):
                    _beat(url, "fail", log, how.quiet)
                    raise
                # Whoever took one state file away may have taken them all.
                code, over = error.exit_code, isinstance(error, DisplacedError)
                well = well and isinstance(error, LockedError)
                if not _kept_quiet(error, how):
                    for line in in_words(error):
                        log.say(line, level="error", event="error")
            codes.append(code)
            if (over or how.late) and number + 1 < len(manifests):
                codes.append(ExitCode.REMAINS)
                break
        _beat(url, "success" if well else "fail", log, shown["quiet"])
    return worst(codes)


def _kept_quiet(error: RunnerError, how: How) -> bool:
    """Another run at work is nothing that a timer needs to tell anybody."""
    return isinstance(error, LockedError) and how.quiet > 0


def _refuse_shared(given: dict[str, Any]) -> None:
    if given["state"] is not None:
        raise ConfigurationError("--state names one file, and there are several manifests")
    for name in ("only", "plan"):
        if given.get(name):
            raise ConfigurationError(f"--{name} is of one manifest, and there are several")
    if given["output"] and "{name}" not in given["output"]:
        raise ConfigurationError("--output needs {name} in it when there are several manifests")


def _beat(url: str, event: str, log: Log, quiet: int) -> None:
    if url and (trouble := anyio.run(notify.beat, url, event)) and not quiet:
        log.warn(f"--heartbeat: {trouble}")
