"""A stand-in provider on loopback that lives and ends with a command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from runner.errors import ConfigurationError


@asynccontextmanager
async def embedded_sandbox(ledger_file: Path | None) -> AsyncIterator[str]:
    """Its address. With a file, its tasks outlive it; without one it makes no real films."""
    from runner import sandbox  # noqa: PLC0415 - an extra, needed only here

    settings = sandbox.Settings(
        dialect="mixed", render=sandbox.Span(1, 3), queue=sandbox.Span(0.2, 0.6)
    )
    films = sandbox.render if ledger_file else sandbox.tiny
    try:
        async with sandbox.serve(settings, ledger_file=ledger_file, render=films) as server:
            yield server.base_url
    except (sandbox.MissingExtraError, sandbox.LedgerFileError) as error:
        raise ConfigurationError(str(error)) from None
