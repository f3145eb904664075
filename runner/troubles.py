"""Every trouble in plain words: what happened, and what a person can do. Pure; the one table."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runner.jobs import Problem, Status


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of trouble: a short name to count it by, what it means, and what to do."""

    kind: str
    meaning: str
    remedy: str


_WAIT = "Nothing to do: the next run asks again, at no cost."
_EDIT = "Change the entry in the manifest, then run again."
_LATER = "Another attempt may succeed, and costs as much again; try one before you retry them all."
_SETTLE = (
    "Look in the provider's usage log at this time, then settle it with one of these commands. "
    "Until then it is not sent again."
)
_ACCOUNT = "Mend the key or the credit of the account, then run again; nothing is lost."

_REFUSED_IMAGE = Trouble(
    "image refused by the safety filter",
    "The provider's safety filter refused the image or what it shows.",
    "Use another image. Don't repeat it: refused generations can cost money, and too many "
    "of them suspend the account.",
)
_REFUSED_PROMPT = Trouble(
    "prompt refused by the safety filter",
    "The provider's safety filter refused the words of the prompt.",
    "Change the prompt; the same words will be refused again.",
)
_REFUSED_VIDEO = Trouble(
    "video refused by the safety filter",
    "The video was made, and the provider's safety filter held it back.",
    "Change the prompt or the image; a repetition can cost money and be refused again.",
)
_BAD_IMAGE = Trouble(
    "image not usable",
    "The provider could not use the image: not reachable, too large, or not a JPEG, PNG or WebP.",
    "Open the image's address in a browser; mend the file or the address, then run again.",
)
_BAD_OUTPUT = Trouble(
    "render came out badly",
    "The provider judged its own result unusable.",
    "Change the prompt, the image or the seed: the same input tends to fail again.",
)
_INTERNAL = Trouble("provider's own failure", "Something broke inside the provider.", _LATER)
_UNAVAILABLE = Trouble(
    "provider overloaded", "A service that the provider depends on was not available.", _LATER
)
_ENDED = Trouble(
    "ended without a video", "The provider ended the task and gave no clear reason.", _LATER
)
_CANCELLED = Trouble(
    "cancelled at the provider",
    "The task was cancelled at the provider.",
    "If that was not you, ask who else uses the account; a retry pays for it again.",
)
_NO_MONEY = Trouble(
    "no credit", "The account's credit is used up; nothing was charged for this.", _ACCOUNT
)
_NO_KEY = Trouble(
    "key refused",
    "The provider does not accept the API key: wrong, expired or used up.",
    _ACCOUNT,
)
_NO_MODEL = Trouble(
    "model not served",
    "Nobody serves this model at the moment; nothing was charged.",
    "Choose another model in the manifest, or try again later.",
)
_REJECTED = Trouble(
    "request refused",
    "The provider refused the request as it is; nothing was charged.",
    f"Its words below say what it dislikes. {_EDIT}",
)
_BUSY = Trouble("provider busy", "The provider asked to slow down.", _WAIT)
_LOST = Trouble(
    "answer lost",
    "The order was sent and its answer never came: it may have been charged, or not.",
    _SETTLE,
)
_NO_ID = Trouble(
    "answer without a task",
    "The provider answered without naming the task it made: it may have been charged.",
    _SETTLE,
)
_NOT_SENT = Trouble(
    "provider not reached", "The provider was not reached; nothing was charged.", _WAIT
)
_TOO_LONG = Trouble(
    "took too long",
    "The task was still not ready when the manifest's task_timeout was over. It is paid for, "
    "and its id is kept.",
    "Run again: it asks once more, at no cost. If it never ends, give it up.",
)
_UNKNOWN_TASK = Trouble(
    "task unknown",
    "The provider took the order, and then did not know the task.",
    "Wait and run again: a task may appear late. If it never does, look in the provider's "
    "usage log, then settle it.",
)
_ODD_ANSWER = Trouble(
    "answer not understood", "The provider answered something that makes no sense here.", _WAIT
)
_NO_VIDEO = Trouble(
    "finished without a video",
    "The provider says the task is finished, and gives no video.",
    "Ask the provider's support with the task's id; running again asks once more, at no cost.",
)
_DOWNLOAD = Trouble(
    "download failed", "The video is ready at the provider, and its download failed.", _WAIT
)
_BAD_VIDEO = Trouble(
    "video damaged",
    "The file that came is not a whole video; it was not kept.",
    _WAIT,
)
_UNSAFE = Trouble(
    "address not trusted",
    "The provider named an address for the video that is not safe to ask.",
    "Ask the provider's support with the task's id; nothing was fetched from there.",
)
_DISK = Trouble(
    "disk trouble",
    "The video could not be written to the disk.",
    "Make room, or mend the folder's permissions, then run again: it is not paid for twice.",
)
_OTHER = Trouble(
    "other", "The provider gave a reason that this program does not know.", "Read its words below."
)

# The longest beginning that fits counts; codes are compared in upper case, `.` and `_` alike.
_BY_CODE: dict[str, Trouble] = {
    "SAFETY": _REFUSED_IMAGE,
    "SAFETY.INPUT.TEXT": _REFUSED_PROMPT,
    "SAFETY.OUTPUT": _REFUSED_VIDEO,
    "INPUT_PREPROCESSING.SAFETY": _REFUSED_IMAGE,
    "INPUT_PREPROCESSING.SAFETY.TEXT": _REFUSED_PROMPT,
    "INPUT_PREPROCESSING": _INTERNAL,
    "ASSET": _BAD_IMAGE,
    "INTERNAL": _INTERNAL,
    "INTERNAL.BAD_OUTPUT": _BAD_OUTPUT,
    "THIRD_PARTY": _UNAVAILABLE,
    "FAILED": _ENDED,
    "FAILURE": _ENDED,
    "CANCELLED": _CANCELLED,
    "CANCELED": _CANCELLED,
    "QUOTA_NOT_ENOUGH": _NO_MONEY,
    "INSUFFICIENT": _NO_MONEY,
    "HTTP_401": _NO_KEY,
    "HTTP_402": _NO_MONEY,
    "INVALID_API_KEY": _NO_KEY,
    "MODEL_NOT_FOUND": _NO_MODEL,
    "INVALID_REQUEST": _REJECTED,
    "HTTP_4": _REJECTED,
    "HTTP_429": _BUSY,
    "RATE_LIMIT": _BUSY,
    "FORBIDDEN": _NO_KEY,
    "HTTP_408": _LOST,
    "HTTP_499": _LOST,
    "HTTP_5": _LOST,
    "NO_ANSWER": _LOST,
    "INTERRUPTED": _LOST,
    "NO_TASK_ID": _NO_ID,
    "DUPLICATE_TASK_ID": _NO_ID,
    "NOT_SENT": _NOT_SENT,
    "TIMEOUT": _TOO_LONG,
    "TASK_NOT_EXIST": _UNKNOWN_TASK,
    "WRONG_TASK": _ODD_ANSWER,
    "NO_STATUS": _ODD_ANSWER,
    "NO_VIDEO": _NO_VIDEO,
    "DOWNLOAD": _DOWNLOAD,
    "REDIRECTS": _DOWNLOAD,
    "BAD_VIDEO": _BAD_VIDEO,
    "UNSAFE_URL": _UNSAFE,
    "DISK": _DISK,
}
_NOT_ANSWERING = Trouble(
    "provider not answering",
    "The task is paid for; the provider gave no usable answer to the question how it is.",
    _WAIT,
)
_PUT_OFF = Trouble(
    "put off", "The provider did not take the order this time; nothing was charged.", _WAIT
)
_GIVEN_UP = Trouble(
    "given up",
    "It was in doubt whether this was charged, and a person counted it as paid and failed.",
    "A retry pays for it again.",
)

# About an order whose fate nobody knows: failed with one of these means given up by a person.
_DOUBTS = {_LOST, _NO_ID, _TOO_LONG, _UNKNOWN_TASK, _NO_VIDEO, _UNSAFE, _NOT_ANSWERING}
# With a task's id known, these are about a question that went wrong, not about the order.
_ABOUT_A_TASK = {_LOST: _NOT_ANSWERING, _REJECTED: _UNKNOWN_TASK}
# What a code that is not in the table means, by where it left the job.
_BY_STATUS = {
    Status.PLANNED: _PUT_OFF,
    Status.RUNNING: _NOT_ANSWERING,
    Status.RENDERED: _DOWNLOAD,
    Status.UNCERTAIN: _NOT_ANSWERING,
}


def explain(problem: Problem, status: Status, task_id: str = "") -> Trouble:
    """What a problem means for a job that it left in `status`; `task_id` is "" before it had one.

    A submission in doubt is in doubt whatever the answer said, if there was one.
    """
    found = _by_code(problem.code)
    if found is _ENDED and (named := re.search(r"[A-Z][A-Z0-9_]+(\.[A-Z0-9_]+)+", problem.message)):
        found = _by_code(named[0]) or found  # the wrapped dialects give the code in the words
    if not task_id and status in {Status.UNCERTAIN, Status.SUBMITTING}:
        return _NO_ID if found is _NO_ID else _LOST
    if task_id and found:
        found = _ABOUT_A_TASK.get(found, found)
    if status is Status.FAILED:
        return _GIVEN_UP if found in _DOUBTS else found or (_OTHER if task_id else _REJECTED)
    return found or _BY_STATUS.get(status, _OTHER)


def _by_code(code: str) -> Trouble | None:
    wanted = _plain(code)
    fits = [known for known in _BY_CODE if wanted.startswith(_plain(known))]
    return _BY_CODE[max(fits, key=len)] if fits else None


def _plain(code: str) -> str:
    return re.sub(r"[._\s-]+", "_", code.strip().upper())
