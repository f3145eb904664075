"""A manifest's services: whom a run tells how it went, and what it starts when a video is home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.manifest.fields import NOTIFY, ON_DONE, TOP, Parse
from runner.manifest.reader import Reader, kind
from runner.manifest.receivers import KINDS
from runner.manifest.tree import Node, Series, Text
from runner.manifest.values import shown

DEFAULT_KINDS = tuple(each for each in KINDS if each != "remains")


@dataclass(frozen=True, slots=True)
class Services:
    """What a manifest asks for besides videos. Empty or None means not asked for.

    Addresses are as they are written: `env:NAME` stands for what that variable holds.
    `hook_timeout` is in seconds.
    """

    notify: tuple[str, ...] = ()
    notify_on: tuple[str, ...] = DEFAULT_KINDS
    heartbeat: str = ""
    webhook: str = ""
    metrics: str = ""
    on_job: tuple[str, ...] = ()
    on_run: tuple[str, ...] = ()
    hook_timeout: float = 60.0


def read(top: Mapping[str, Node], reader: Reader) -> Services:
    """The services among a manifest's top fields."""
    notify = reader.section(top, "notify", NOTIFY)
    hooks = reader.section(top, "on_done", ON_DONE)
    timeout = reader.value(hooks, ON_DONE["timeout"], "on_done.")
    kinds = _list(notify, "on", NOTIFY["on"].parse, "notify.", reader)
    return Services(
        notify=_list(notify, "urls", NOTIFY["urls"].parse, "notify.", reader),
        notify_on=kinds or DEFAULT_KINDS,
        heartbeat=reader.value(top, TOP["heartbeat"]) or "",
        webhook=reader.value(top, TOP["webhook"]) or "",
        metrics=reader.value(top, TOP["metrics"]) or "",
        on_job=_command(hooks, "job", reader),
        on_run=_command(hooks, "run", reader),
        hook_timeout=Services().hook_timeout if timeout is None else timeout,
    )


def _list(
    given: Mapping[str, Node], name: str, parse: Parse | None, path: str, reader: Reader
) -> tuple[str, ...]:
    """A list of values; a single one may stand without brackets."""
    node = given.get(name)
    if node is None:
        return ()
    items = node.items if isinstance(node, Series) else (node,)
    if not items:
        reader.mistake(node, f"{path}{name}", "is empty", "remove it, or add values to it")
    found = [reader.convert(item, parse, f"{path}{name}") for item in items]
    return tuple(value for value in found if value is not None)


def _command(given: Mapping[str, Node], name: str, reader: Reader) -> tuple[str, ...]:
    """A program and its arguments, each a text of its own: there is no shell that would split."""
    node, path = given.get(name), f"on_done.{name}"
    if node is None:
        return ()
    if not isinstance(node, Series) or not node.items:
        hint = "write the program and each argument apart: [program, argument, …]"
        empty = isinstance(node, Series)
        words = "is empty" if empty else f"must be a list, not {kind(node)}"
        reader.mistake(node, path, words, hint)
        return ()
    command = []
    for index, item in enumerate(node.items):
        if not isinstance(item, Text):
            reader.mistake(item, f"{path}[{index}]", f"must be a text, not {kind(item)}")
        elif "\0" in item.text or (not index and not item.text.strip()):
            message = f"{shown(item.text)} can't be a {'program' if not index else 'argument'}"
            reader.mistake(item, f"{path}[{index}]", message)
        else:
            command.append(item.text)
    return tuple(command)
