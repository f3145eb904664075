"""The entry point of `runner`: heeds Ctrl-C from the first import to the last word.

The interpreter's own answer to Ctrl-C is a traceback, and an end by the signal itself.
"""

from __future__ import annotations

import gc
import os
import signal
from typing import NoReturn

_ABORTED = 130  # ExitCode.ABORTED: nothing is imported before the handler stands


def _leave(number: int, frame: object) -> NoReturn:
    """End at once: nothing has been begun."""
    os.write(2, b"aborted\n")
    os._exit(_ABORTED)


def main() -> NoReturn:
    """Run one command and leave with its exit code, whenever it is interrupted."""
    if heeded := signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    from runner.cli import main as command  # noqa: PLC0415 - the slow part, see above

    code: object = _ABORTED
    try:
        if heeded:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        command()
    except KeyboardInterrupt:
        pass
    except BaseExceptionGroup as errors:  # a second one, in the midst of tasks that were ending
        if errors.subgroup(KeyboardInterrupt) is None:
            raise
    except SystemExit as end:
        code = end.code
    finally:
        # All is said and stored: a late signal changes nothing any more.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    # To look for garbage in all that was imported is half of what ending takes.
    gc.freeze()
    # An interrupt that went through an `exec` of text (a dataclass being made, say) makes CPython
    # end by the signal, caught or not, unless another `exec` came after.
    exec("")
    raise SystemExit(code)


if __name__ == "__main__":
    main()
