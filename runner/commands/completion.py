"""`runner completion`: the script that lets a shell complete commands, files and job ids."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from runner.errors import ExitCode

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> ExitCode:
    """Print a script that completes commands, options, files and job ids.

    \b
    Examples, one line for every new shell in
      bash   ~/.bashrc:  eval "$(runner completion bash)"
      zsh    ~/.zshrc, after compinit:  eval "$(runner completion zsh)"
      fish   ~/.config/fish/completions/runner.fish:  runner completion fish | source
    """
    from runner.cli import cli  # noqa: PLC0415 - which loads this module

    kind = get_completion_class(shell)
    assert kind is not None, shell
    click.echo(kind(cli, {}, "runner", "_RUNNER_COMPLETE").source())
    return ExitCode.DONE
