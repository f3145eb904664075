"""What the provider's answers mean, in every form that its pages and its gateway show. Pure.

Sources: the endpoint's page; the wrapped task details seen live on 2026-03-13; the flat form of
the provider's pages of 2026-05, which is Runway's own; the compatibility feed. Where they
disagree, every form is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from runner.events import (
    Accepted,
    AccountRefused,
    Event,
    Invisible,
    Lost,
    PollFailed,
    Refused,
    Rendered,
    RenderFailed,
    StillRunning,
    Throttled,
    Unserved,
    WrongAddress,
)
from runner.jobs import Problem

_REQUEST_ID_HEADERS = ("x-cometapi-request-id", "x-oneapi-request-id", "x-request-id")
_REQUEST_ID_IN_TEXT = re.compile(r"request[ _-]?id:?\s*([\w-]{8,80})", re.IGNORECASE)
_TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")

_NO_MONEY = (
    "quota_not_enough",
    "insufficient_user_quota",
    "insufficient_quota",
    "enough credits",
    "insufficient credit",
    "insufficient balance",
)
_NO_MODEL = ("model_not_found", "no available channel")
_NO_TASK = "task_not_exist"
_LONGEST_LINK = 16_384
_DEEPEST = 3

_SUCCEEDED = frozenset({"SUCCEEDED", "SUCCESS", "COMPLETED"})
_FAILED = frozenset({"FAILED", "FAILURE"})
_CANCELLED = frozenset({"CANCELLED", "CANCELED"})


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole HTTP answer: header names in lower case, the body at most a megabyte."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def is_task_id(text: str) -> bool:
    """Whether a text has the shape of a task id: what may go into an address and a file."""
    return bool(_TASK_ID.fullmatch(text))


# ---------------------------------------------------------------- the paid submit


def read_submit(answer: Answer, now: float) -> Event:  # noqa: PLR0911 - one return an outcome
    """What became of a paid submit. Whatever does not clearly say "not charged" is `Lost`."""
    payload = _payload(answer)
    problem = _problem(answer, payload)
    match answer.status:
        case status if 200 <= status < 300:
            task_id = _new_task_id(payload)
            return Accepted(task_id, problem.request_id) if task_id else _without_id(problem)
        case status if _is_account(status, problem):
            return AccountRefused(problem)
        case 429:
            return Throttled(problem, retry_after(answer, now))
        case 500 if problem.code == "invalid_request":
            return Refused(problem)
        case 503 if _mentions(f"{problem.code} {problem.message}", _NO_MODEL):
            return Unserved(problem)
        case 408 | 499:
            return Lost(problem)
        case status if 300 <= status < 400 or (status in {404, 405} and _is_page(answer)):
            return WrongAddress(problem)
        case status if 400 <= status < 500:
            return Refused(problem)
        case _:
            return Lost(problem)


def _is_account(status: int, problem: Problem) -> bool:
    """Whether the account is refused; a time-out or a 5xx can say so only by its code."""
    if status in {408, 499} or status >= 500:
        return _mentions(problem.code, _NO_MONEY)
    words = f"{problem.code} {problem.message}"
    return status in {401, 402} or (status >= 400 and _mentions(words, _NO_MONEY))


def _new_task_id(payload: Any) -> str:
    """The id in `{"id"}` or, in the gateway's envelope, `{"data": {"task_id" | "id"}}`."""
    data = _get(payload, "data")
    values = [_get(part, name) for part in (payload, data) for name in ("id", "task_id")]
    if isinstance(payload, dict) and not _failure_envelope(payload):
        values.append(data)
    ids = (_text(value) for value in values)
    return next((id for id in ids if is_task_id(id)), "")


def _without_id(problem: Problem) -> Lost:
    """A 2xx without a usable id may have been charged, whatever else it says."""
    message = f"accepted without a usable task id: {problem.message}"
    return Lost(Problem("no_task_id", message, problem.request_id))


# ---------------------------------------------------------------- the free poll


def read_task(answer: Answer, task_id: str, now: float) -> Event:
    """What the task details, or the feed, say of a task. An answer about another is no answer."""
    payload = _payload(answer)
    unknown = isinstance(payload, dict) and _says_no_task(payload)
    if 200 <= answer.status < 300 and not unknown:
        return _read_state(answer, payload, task_id)
    problem = _problem(answer, payload)
    if unknown:
        return Invisible(
            Problem(_NO_TASK, "the provider does not know the task", problem.request_id)
        )
    match answer.status:
        case status if _is_account(status, problem):
            return AccountRefused(problem)
        case 403:
            return PollFailed(Problem("forbidden", problem.message, problem.request_id))
        case 404 if isinstance(payload, dict):
            return Invisible(problem)
        case _:
            return PollFailed(problem, retry_after(answer, now))


def _says_no_task(payload: Mapping[str, Any]) -> bool:
    for part in (payload, payload.get("error"), payload.get("data")):
        if isinstance(part, dict):
            for name in ("code", "message", "status"):
                if _text(part.get(name)).lower() == _NO_TASK:
                    return True
    return False


def _layers(payload: Any) -> list[dict[str, Any]]:
    """An answer and what it wraps, from the outside in: three layers have been seen."""
    layers: list[dict[str, Any]] = []
    while isinstance(payload, dict) and len(layers) < _DEEPEST:
        layers.append(payload)
        payload = payload.get("data")
    return layers


def _names_another(layers: list[dict[str, Any]], task_id: str) -> str:
    """The ids that an answer names, if it names any and none of them is the one asked for."""
    ids = []
    for part in layers:
        for name in ("id", "task_id"):
            if name in part and (text := _text(part[name])):
                ids.append(text)
    return "" if task_id in ids else ", ".join(ids)


def _read_state(  # noqa: PLR0911 - one return an outcome
    answer: Answer, payload: Any, task_id: str
) -> Event:
    """What an answer with a state says. Most say that the task goes on: that costs least."""
    layers = _layers(payload)
    if others := _names_another(layers, task_id):
        words = f"an answer about another task, {_clipped(others, 100)}"
        return PollFailed(Problem("wrong_task", words, _problem(answer, payload).request_id))
    layers[:2] = layers[1::-1]  # what is wrapped once says more than its wrapping
    word = next((part["status"] for part in layers if _is_word(part.get("status"))), "")
    if not word:
        problem = _problem(answer, payload)
        if isinstance(payload, dict) and _failure_envelope(payload):
            return PollFailed(problem)
        return PollFailed(Problem("no_status", "an answer without a status", problem.request_id))
    status = _clipped(word, 100).upper()
    if status in _SUCCEEDED:
        url = next(_videos(layers), "")
        if url:
            return Rendered(url)
        return PollFailed(Problem("no_video", "finished, but no video address was given"))
    if status in _FAILED or status in _CANCELLED:
        return RenderFailed(_failure(layers, status, _problem(answer, payload).request_id))
    return StillRunning(status)


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _failure_envelope(payload: Mapping[str, Any]) -> bool:
    return _text(payload.get("code", "success")).lower() not in {"success", "200", "0"}


def _videos(layers: list[dict[str, Any]]) -> Iterator[str]:
    """Every place where a finished task's video has been seen, the likeliest first."""
    for part in reversed(layers):
        output = part.get("output")
        yield from (url for url in (output if isinstance(output, list) else [output]) if _link(url))
    for part in reversed(layers):
        for name in ("video_url", "result_url", "url", "fail_reason"):
            if _link(part.get(name)):
                yield part[name]


def _link(value: Any) -> bool:
    return (
        isinstance(value, str)
        and value.startswith(("https://", "http://"))
        and len(value) <= _LONGEST_LINK
        and value.isprintable()
    )


def _failure(layers: list[dict[str, Any]], status: str, request_id: str) -> Problem:
    """The failure's code and words: Runway's own inside the wrapping before the wrapping's."""

    def first(*names: str) -> str:
        found = (part.get(name) for part in reversed(layers) for name in names)
        return next((value for value in found if isinstance(value, str) and value), "")

    code = first("failureCode", "failure_code") or status
    words = first("failure", "fail_reason") or f"the provider says {status} and no more"
    return Problem(_clipped(code, 100), _clipped(words), request_id)


# ---------------------------------------------------------------- parts of any answer


def retry_after(answer: Answer, now: float) -> float | None:
    """Seconds that the answer asks to wait, from either form of Retry-After."""
    value = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    moment = _moment(value)
    if moment is None:
        return None
    return max(0.0, moment - (_moment(answer.headers.get("date", "")) or now))


def _moment(http_date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(http_date)
    except (ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _payload(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _problem(answer: Answer, payload: Any) -> Problem:
    """Code, words and request id of an answer, from whichever envelope it came in."""
    error = _get(payload, "error")
    code = _text(_get(error, "code")) or _text(_get(payload, "code")) or f"http_{answer.status}"
    message = (
        _text(_get(error, "message"))
        or _text(_get(payload, "message"))
        or (error if isinstance(error, str) else "")
        or _text(_get(payload, "msg"))
        or _unreadable(answer, payload)
    )
    issues = _get(payload, "issues")
    if isinstance(issues, list):
        message += "".join(f"; {_issue(issue)}" for issue in issues[:5])
    request_id = next(
        (answer.headers[name] for name in _REQUEST_ID_HEADERS if name in answer.headers), ""
    )
    if not request_id and (found := _REQUEST_ID_IN_TEXT.search(message)):
        request_id = found[1]
    return Problem(_clipped(code, 100), _clipped(message), _clipped(request_id, 100))


def _issue(issue: Any) -> str:
    path = _get(issue, "path")
    place = ".".join(_text(step) for step in path) if isinstance(path, list) else _text(path)
    return f"{place}: {_text(_get(issue, 'message'))}"


def _unreadable(answer: Answer, payload: Any) -> str:
    if payload is not None:
        return f"HTTP {answer.status}"
    kind = "an empty answer" if not answer.body.strip() else "an answer that is not JSON"
    if _is_page(answer):
        kind = "an HTML page (is the base URL right?)"
    return f"HTTP {answer.status} with {kind}"


def _is_page(answer: Answer) -> bool:
    return answer.body.lstrip()[:1] == b"<"


def _get(part: Any, name: str) -> Any:
    return part.get(name) if isinstance(part, dict) else None


def _text(value: Any) -> str:
    """A text or a whole number as text; "" for anything else that JSON can hold."""
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def _mentions(text: str, needles: tuple[str, ...]) -> bool:
    return any(needle in text.lower() for needle in needles)


def _clipped(text: str, limit: int = 500) -> str:
    """One printable line: what comes from outside may not steer a terminal or flood a log."""
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(letter if letter.isprintable() else "\ufffd" for letter in line)
    return line if len(line) <= limit else line[: limit - 1] + "\u2026"
