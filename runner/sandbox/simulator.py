"""The stand-in provider without IO: requests in, replies out, time from a clock it is given."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from runner.sandbox.answers import House, canned, film_error, invalid_body, issue, page, refusal
from runner.sandbox.audit import Audit
from runner.sandbox.dialects import RUNWAY, cost, describe, form_for, not_visible
from runner.sandbox.faults import Fault, FaultPicker
from runner.sandbox.film import FilmSpec
from runner.sandbox.links import Signer
from runner.sandbox.pictures import picture
from runner.sandbox.routes import Route, find_route
from runner.sandbox.rules import check_body, check_headers, read_object
from runner.sandbox.settings import DAY, Settings
from runner.sandbox.tasks import Charge, Phase, Record, Slots, Task, body_texts, draw_plan, new_id
from runner.sandbox.wire import Damage, Film, Reply, Request, hang_up, json_reply

DAMAGES: dict[str, Damage] = {
    "truncated": "truncated",
    "truncated-reset": "reset",
    "short": "short",
    "no-length": "no-length",
}
WITH_KEY = frozenset({"submit", "poll", "feed", "delete", "account"})
CREDITS = 10_000  # what an account without a limit has


@dataclass(frozen=True, slots=True)
class Visit:
    """One request on its way through: which call it is, its id, and the time it came at."""

    request: Request
    route: Route
    query: str
    request_id: str
    now: float


class Simulator:
    """CometAPI's Runway endpoint and Runway itself, as far as the wire is known.

    The same settings, requests and clock give the same replies, ids and charges. `on_record` is
    called with a JSON-able line for every charge and deletion, before the reply exists; `restore`
    takes those lines back, so that tasks outlive the process and go on by the clock meanwhile.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float],
        on_record: Callable[[Record], None] = lambda record: None,
    ) -> None:
        self.settings = settings
        self.tasks: dict[str, Task] = {}
        self._clock = clock
        self.on_record = on_record
        self._audit = Audit()
        self._faults = FaultPicker(settings.faults, settings.seed)
        self._slots = Slots(settings.slots)
        self._signer = Signer(f"film links of sandbox {settings.seed}", settings.link_lifetime)
        self._requests = random.Random(f"{settings.seed}/requests")

    @property
    def charges(self) -> list[Charge]:
        """Everything that was charged, oldest first."""
        return [task.charge for task in self.tasks.values()]

    def audit(self) -> dict[str, object]:
        """The books, JSON-able; also served at `/sandbox/ledger`."""
        return self._audit.summary(self.tasks.values(), self._clock())

    def restore(self, records: Iterable[Record]) -> None:
        """Take back what `on_record` was given earlier; raises `KeyError` or `TypeError`."""
        for record in records:
            if "deleted" in record:
                task = self.tasks[record["deleted"]]
                self.tasks[task.id] = replace(task, deleted_at=record["at"])
            else:
                self._remember(Task.of_record(record))

    def handle(self, request: Request) -> Reply:
        """Answer one request. Never raises for anything a client can send."""
        now = self._clock()
        path, _, query = request.target.partition("?")
        route = find_route(request.method, path)
        visit = Visit(request, route, query, self._request_id(now), now)
        answer = self._with_key if route.call in WITH_KEY else self._without_key
        reply = self._finish(answer(visit), request)
        self._audit.answered(route.call, _outcome(reply))
        return replace(reply, headers={**reply.headers, "x-cometapi-request-id": visit.request_id})

    def _without_key(self, visit: Visit) -> Reply:
        match visit.route.call:
            case "film":
                return self._film(visit)
            case "picture":
                return self._picture(visit)
            case "ledger":
                return json_reply(200, self.audit())
            case _:
                return page(404, "404 Not Found")

    def _with_key(self, visit: Visit) -> Reply:
        route = visit.route
        refused = check_headers(visit.request.headers, self.settings.key, route.house)
        if refused:
            return refused
        match route.call:
            case "poll":
                return self._poll(visit, route.task_id)
            case "delete":
                return self._delete(visit)
            case "account":
                return self._account()
            case _:
                return self._with_body(visit)

    def _with_body(self, visit: Visit) -> Reply:
        body = read_object(visit.request.body)
        if body is None:
            return invalid_body([issue("invalid_json", "", "Expected a JSON object")])
        if visit.route.call == "feed":
            return self._poll(visit, str(body.get("task_id", "")))
        return self._submit(visit, body)

    def _submit(self, visit: Visit, body: Mapping[str, object]) -> Reply:
        house = visit.route.house
        issues = check_body(body, house)
        if issues:
            return invalid_body(issues)
        fault = self._faults.pick("submit", body_texts(body))
        answer = canned(fault, house, visit.now) if fault else None
        if answer:
            return answer
        limits = self.settings
        if limits.credit is not None and len(self.tasks) >= limits.credit:
            return refusal("403-quota", house)
        today = visit.now - DAY
        if limits.daily_cap is not None and self._charged_since(today) >= limits.daily_cap:
            return refusal("daily-cap", house)
        task = self._charge(visit, body)
        costs = cost(task, Phase.PENDING) if house == "runway" else {}
        accepted = json_reply(200, {"id": task.id, **costs})
        return _after_charge(fault, accepted, house) if fault else accepted

    def _account(self) -> Reply:
        credit = self.settings.credit
        left = CREDITS if credit is None else max(0, credit - len(self.tasks))
        return json_reply(200, {"creditBalance": left})

    def _charged_since(self, moment: float) -> int:
        return sum(task.charge.at > moment for task in self.tasks.values())

    def _charge(self, visit: Visit, body: Mapping[str, object]) -> Task:
        """Create a task: this is the moment it is paid for."""
        dice = random.Random(f"{self.settings.seed}/task/{len(self.tasks)}")
        charge = Charge(new_id(dice), visit.now, dict(body), visit.request_id)
        fault = self._faults.pick("task", (*body_texts(body), charge.task_id))
        task = Task(charge, draw_plan(self.settings, dice, self._slots.wait(visit.now), fault))
        self._remember(task)
        self.on_record(task.record())
        return task

    def _remember(self, task: Task) -> None:
        self.tasks[task.id] = task
        self._slots.take(task)

    def _poll(self, visit: Visit, task_id: str) -> Reply:
        now, house, call = visit.now, visit.route.house, visit.route.call
        self._audit.polled(task_id, now)
        task = self.tasks.get(task_id)
        fault = self._faults.pick(call, task.texts if task else (task_id,))
        answer = canned(fault, house, now) if fault else None
        if answer:
            return answer
        form = RUNWAY if house == "runway" else form_for(self.settings.dialect, call, task_id)
        if task is None or not task.found_at(now):
            return not_visible(form)
        if fault and fault.kind == "throttled":
            task = task.still_waiting(now)
        if fault and fault.kind == "unknown-status":
            form = replace(form, status=fault.argument)
        link = self._signer.link(visit.request.origin, task_id, now)
        return _late(json_reply(200, describe(task, now, form, link)), fault)

    def _delete(self, visit: Visit) -> Reply:
        """Cancel a task that runs, delete one that is over: polls don't find it any more."""
        task_id, house = visit.route.task_id, visit.route.house
        task = self.tasks.get(task_id)
        if task is None or not task.found_at(visit.now):
            comet = form_for(self.settings.dialect, "poll", task_id)
            return not_visible(RUNWAY if house == "runway" else comet)
        self.tasks[task_id] = replace(task, deleted_at=visit.now)
        self.on_record({"deleted": task_id, "at": visit.now})
        return Reply(204, {}, b"")

    def _film(self, visit: Visit) -> Reply:
        task_id, now, request = visit.route.task_id, visit.now, visit.request
        if "authorization" in request.headers:
            self._audit.key_sent_with_film()
        task = self.tasks.get(task_id)
        fault = self._faults.pick("film", task.texts if task else (task_id,))
        answer = canned(fault, "films", now) if fault else None
        if answer:
            return answer
        if not self._signer.accepts(task_id, visit.query, now):
            return film_error(403, "AccessDenied")
        if task is None or not task.found_at(now) or task.phase(now) is not Phase.SUCCEEDED:
            return film_error(404, "NoSuchKey")
        film = Film(
            FilmSpec.of(task_id, task.charge.body),
            range=request.headers.get("range", ""),
            damage=DAMAGES.get(fault.kind, "") if fault else "",
            head=request.method == "HEAD",
        )
        return _late(Reply(200, {"content-type": "video/mp4"}, film), fault)

    def _picture(self, visit: Visit) -> Reply:
        request = visit.request
        if "authorization" in request.headers:
            self._audit.key_sent_with_film()
        return picture(request.method, visit.route.task_id, request.headers.get("range", ""))

    def _request_id(self, now: float) -> str:
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d%H%M%S%f")
        return f"{moment}{self._requests.getrandbits(64):016x}"

    @staticmethod
    def _finish(reply: Reply, request: Request) -> Reply:
        """Give an answer that is not a film its length; HEAD gets the headers alone."""
        if isinstance(reply.body, Film) or reply.status == 204:
            return reply
        headers = {**reply.headers, "content-length": str(len(reply.body))}
        body = b"" if request.method == "HEAD" else reply.body
        return replace(reply, headers=headers, body=body)


def _after_charge(fault: Fault, accepted: Reply, house: House) -> Reply:
    """What the client gets to see of a submit that was charged."""
    match fault.kind:
        case "charged-then-cut":
            return hang_up()
        case "charged-then-reset":
            return hang_up(reset=True)
        case "charged-then-500":
            return refusal("500", house)
        case "charged-then-504":
            return page(504, "Gateway Time-out")
        case "charged-no-id":
            return json_reply(200, {})
        case _:
            return _late(accepted, fault)


def _late(reply: Reply, fault: Fault | None) -> Reply:
    return replace(reply, delay=fault.seconds) if fault and fault.kind == "slow" else reply


def _outcome(reply: Reply) -> str:
    """How the audit names an answer."""
    if reply.connect:
        return reply.connect
    if reply.cut_after == 0:
        return "reset" if reply.reset else "cut"
    return str(reply.status)
