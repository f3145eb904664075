"""The contact sheet's pure parts: cards, charges, charts, words, exports."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import DAY, HOSTILE, NOON, Story, some_stories, stage

from runner.jobs import Problem, Status
from runner.ledger import Ledger
from runner.sheet import exports, folder
from runner.sheet.cards import Card, State, cards, outputs
from runner.sheet.charts import failures, render_times, spending
from runner.sheet.chronicle import Charge, Chronicle, chronicles
from runner.sheet.page import address, duration, figures, page
from runner.sheet.sheet import sheet
from runner.troubles import explain
from runner.words import Caller

CALLER = Caller("runner", "my batch.yaml", ("--state", "s.db"))


def utc(moment: float) -> datetime:
    """A clock for readers in Greenwich."""
    return datetime.fromtimestamp(moment, UTC)


def a_card(**given: object) -> Card:
    """A card with what a test is about."""
    plain = Card(1, "lamp", State.DONE, Status.DONE, "push in", "", "gen4", (), 1, 0, None)
    return replace(plain, **given)  # type: ignore[arg-type]


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Card]]:
    """The cards of a batch with one job of each ending."""
    monkeypatch.chdir(tmp_path)
    batch = stage(tmp_path, some_stories())

    def now() -> list[Card]:
        with batch.view() as (view, _):
            lines = list(view.lines)
        gone = folder.missing(outputs(lines))
        return cards(lines, CALLER, told(batch.state_file), gone)

    return now


def told(state_file: Path) -> dict[int, Chronicle]:
    """What a state file's log says."""
    ledger = Ledger.read(state_file)
    assert ledger
    try:
        return chronicles((e.job, e.at, e.event, e.before, e.detail) for e in ledger.events())
    finally:
        ledger.close()


def test_each_ending_has_its_card(staged: Callable[[], list[Card]]) -> None:
    """State, words, money, times and commands, for every way a job can end."""
    found = {card.id: card for card in staged()}
    done, failed, lost, late = (found[f"lamp-0{number}"] for number in (1, 3, 4, 5))
    assert (done.state, done.commands, done.trouble) == (State.DONE, (), None)
    assert (done.spent, done.attempts, done.render) == (250_000, 1, 40)
    assert failed.trouble
    assert failed.trouble.kind == "prompt refused by the safety filter"
    assert [c.line for c in failed.commands] == [
        "runner retry 'my batch.yaml' --state s.db lamp-03"
    ]
    assert [c.line.split("lamp-04 ")[1] for c in lost.commands] == [
        "--task-id TASK",
        "--not-charged",
        "--give-up",
    ]
    assert [c.line for c in late.commands] == [
        "runner run 'my batch.yaml' --state s.db",
        "runner resolve 'my batch.yaml' --state s.db lamp-05 --give-up",
    ]
    assert found["lamp-06"].state is State.RUNNING
    assert (found["lamp-07"].price, found["lamp-07"].attempts) == (250_000, 0)


def test_a_missing_video_says_so(staged: Callable[[], list[Card]]) -> None:
    """A done job without its file is no success: it says how to get it back."""
    Path("outputs/batch/lamp-01.mp4").unlink()
    card = staged()[0]
    assert card.missing
    assert card.commands[0].line.endswith("--refetch")
    assert 'errors="3"' in exports.as_junit("batch", staged())


def test_a_held_entry_says_what_changed(staged: Callable[[], list[Card]], tmp_path: Path) -> None:
    """What was paid for and what is asked now, in the manifest's own words."""
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_text(jobs.read_text().replace("slow push in", "quick pull out", 1))
    with stage_again(tmp_path).view() as (view, _):
        lines = list(view.lines)
    card = cards(lines, CALLER, {})[0]
    assert card.state is State.HELD
    assert card.trouble
    assert "prompt was “slow push in”, is now “quick pull out”" in card.trouble.meaning
    assert card.commands[1].line.endswith("--accept-changes")


def stage_again(tmp_path: Path) -> object:
    """The same batch, with its manifest read anew."""
    from runner.batch import Options, prepare

    return prepare(Options(tmp_path / "batch.yaml", Path("state/batch.db")), {})


def test_the_charges_are_what_was_spent(staged: Callable[[], list[Card]]) -> None:
    """The log's charges, refused submissions left out, add up to the rows' attempts and cost."""
    assert staged()
    ledger = Ledger.read(Path("state/batch.db"))
    assert ledger
    spent = ledger.spent()
    ledger.close()
    charges = [charge for each in told(Path("state/batch.db")).values() for charge in each.charges]
    assert (len(charges), sum(charge.cost or 0 for charge in charges)) == spent == (7, 1_750_000)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 9)), min_size=1))
def test_no_spend_is_lost_in_the_chart(bought: list[tuple[int, int]]) -> None:
    """Whatever the span, the columns add up to the charges and follow each other."""
    chart = spending([Charge(NOON + day * DAY, cost) for day, cost in bought], utc)
    assert sum(column.cost for column in chart.columns) == sum(cost for _, cost in bought)
    assert sum(column.tasks for column in chart.columns) == len(bought)
    begins = [column.begins for column in chart.columns]
    assert begins == sorted(set(begins))


def test_days_without_spend_stay_in_sight() -> None:
    """A gap between two days is a gap in the chart."""
    chart = spending([Charge(NOON, 1), Charge(NOON + 20 * DAY, None)], utc)
    assert [column.tasks for column in chart.columns] == [1, *[0] * 19, 1]
    assert chart.columns[0].begins == date(2026, 11, 28)
    assert len(spending([Charge(NOON, 1)], utc).columns) == 14
    assert spending([Charge(NOON, 1), Charge(NOON + 100 * DAY, 1)], utc).monthly
    assert spending([], utc).columns == ()


def test_render_times_by_model() -> None:
    """Middle and range of each model, the quickest first; renders that never ended don't count."""
    made = [a_card(model="slow", render=float(seconds)) for seconds in range(1, 102)]
    paces = render_times([*made, a_card(model="quick", render=2.0), a_card(model="none")])
    assert [pace.model for pace in paces] == ["quick", "slow"]
    assert (paces[0].low, paces[0].middle, paces[0].high) == (2, 2, 2)
    assert (paces[1].low, paces[1].middle, paces[1].high) == (11, 51, 91)


def test_failures_by_kind(staged: Callable[[], list[Card]]) -> None:
    """Each job that needs a person counts once, by the kind of its trouble."""
    shares = failures(staged())
    assert {share.name: share.jobs for share in shares} == {
        "prompt refused by the safety filter": 1,
        "answer lost": 1,
        "took too long": 1,
    }


@pytest.mark.parametrize(
    ("code", "status", "task", "kind"),
    [
        ("SAFETY.INPUT.IMAGE", "failed", "t", "image refused by the safety filter"),
        ("SAFETY.OUTPUT.VIDEO", "failed", "t", "video refused by the safety filter"),
        ("INPUT_PREPROCESSING.SAFETY.TEXT", "failed", "t", "prompt refused by the safety filter"),
        ("INPUT_PREPROCESSING.INTERNAL", "failed", "t", "provider's own failure"),
        ("ASSET.INVALID", "failed", "t", "image not usable"),
        ("INTERNAL.BAD_OUTPUT.CODE01", "failed", "t", "render came out badly"),
        ("INTERNAL", "failed", "t", "provider's own failure"),
        ("third_party.unavailable", "failed", "t", "provider overloaded"),
        ("http_422", "failed", "", "request refused"),
        ("a new one", "failed", "", "request refused"),
        ("a new one", "failed", "t", "other"),
        ("no_answer", "failed", "", "given up"),
        ("timeout", "failed", "t", "given up"),
        ("http_404", "uncertain", "t", "task unknown"),
        ("http_404", "failed", "t", "given up"),
        ("http_503", "uncertain", "", "answer lost"),
        ("INTERNAL", "uncertain", "", "answer lost"),
        ("service_unavailable", "uncertain", "", "answer lost"),
        ("no_task_id", "uncertain", "", "answer without a task"),
        ("timeout", "uncertain", "t", "took too long"),
        ("http_503", "running", "t", "provider not answering"),
        ("service_unavailable", "running", "t", "provider not answering"),
        ("http_429", "planned", "", "provider busy"),
        ("quota_not_enough", "planned", "", "no credit"),
        ("a new one", "planned", "", "put off"),
        ("", "rendered", "t", "download failed"),
    ],
)
def test_codes_in_plain_words(code: str, status: str, task: str, kind: str) -> None:
    """What a code means hangs on where it left the job, and whether a task was known."""
    assert explain(Problem(code, "words"), Status(status), task).kind == kind


def test_a_code_in_the_words() -> None:
    """A dialect that only says FAILURE may give the code in its words."""
    said = Problem("FAILURE", "SAFETY.INPUT.TEXT: did not pass moderation")
    assert explain(said, Status.FAILED, "t").kind == "prompt refused by the safety filter"
    plain = Problem("FAILURE", "the provider says FAILURE and no more")
    assert explain(plain, Status.FAILED, "t").kind == "ended without a video"


@given(st.text(), st.booleans())
def test_a_doubtful_charge_is_never_made_light_of(code: str, known: bool) -> None:
    """Whatever a provider called it, a submission in doubt says so and how to settle it."""
    for sure in ("INTERNAL", "SAFETY", "http_422", "quota_not_enough", code):
        found = explain(Problem(sure if known else code, ""), Status.UNCERTAIN)
        assert "may have been charged" in found.meaning
        assert "settle" in found.remedy


def test_every_code_of_this_program_has_words() -> None:
    """No code that the runner itself gives a problem is unknown to the table."""
    sources = [path.read_text() for path in Path(explain.__code__.co_filename).parent.glob("*.py")]
    codes = {code for text in sources for code in re.findall(r'Problem\(\s*"([a-z_]+)"', text)}
    codes -= {"prompt", "seed", "duration", "ratio"}  # of a manifest's checks, never of a job
    codes -= {"images"}  # ends a run before anything is bought, never a job's
    assert len(codes) > 12
    for code in codes:
        assert explain(Problem(code, ""), Status.FAILED, "t").kind != "other", code


# ---------------------------------------------------------------- exports


def test_csv_says_it_all(staged: Callable[[], list[Card]]) -> None:
    """One row a job, which a reader of CSV gets back as it was."""
    found = staged()
    rows = list(csv.DictReader(io.StringIO(exports.as_csv(found))))
    assert [row["id"] for row in rows] == [card.id for card in found]
    assert rows[0]["spent"] == "0.25"
    assert rows[1]["prompt"] == HOSTILE
    assert rows[0]["render_seconds"] == "40.0"
    assert rows[2]["message"] == HOSTILE


@given(st.text())
def test_no_cell_is_a_formula(text: str) -> None:
    """Whatever stands in a prompt, a spreadsheet shows it and computes nothing."""
    table = exports.as_csv(
        [a_card(prompt=text, image=text, message=text, parameters=(("x", text),))]
    )
    rows = list(csv.reader(io.StringIO(table, newline="")))
    assert len(rows) == 2
    for cell in rows[1]:
        assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1"])
def test_a_formula_gets_an_apostrophe(cell: str) -> None:
    """What would be computed is marked as text, and nothing else is touched."""
    table = list(csv.reader(io.StringIO(exports.as_csv([a_card(prompt=cell)]), newline="")))
    assert table[1][3] == f"'{cell}"
    plain = list(csv.reader(io.StringIO(exports.as_csv([a_card(prompt="a=b")]), newline="")))
    assert plain[1][3] == "a=b"


def test_json_is_for_programs(staged: Callable[[], list[Card]]) -> None:
    """Numbers stay numbers, unknown is null."""
    whole = json.loads(exports.as_json("batch", NOON, staged()))
    assert whole["made_at"] == "2026-11-28T12:00:00.000+00:00"
    by_id = {job["id"]: job for job in whole["jobs"]}
    assert by_id["lamp-01"]["parameters"] == {"ratio": "1280:720"}
    assert by_id["lamp-07"]["output"] is None
    assert by_id["lamp-03"]["code"] == "SAFETY.INPUT.TEXT"
    assert list(by_id["lamp-01"]) == list(exports.FIELDS)


def test_junit_verdicts(staged: Callable[[], list[Card]]) -> None:
    """done passes, failed fails, what needs a person is an error, all else is skipped."""
    (suite,) = ElementTree.fromstring(exports.as_junit("batch", staged()))
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "8",
        "failures": "1",
        "errors": "2",
        "skipped": "2",
    }
    verdicts = Counter(
        said.tag for case in suite for said in case if said.tag not in {"system-out"}
    )
    assert verdicts == {"failure": 1, "error": 2, "skipped": 2}
    said = suite[2][0]
    assert said.get("type") == "SAFETY.INPUT.TEXT"
    assert HOSTILE in (said.text or "")


@given(st.text(st.characters(codec=None)))
def test_junit_is_always_xml(text: str) -> None:
    """Control characters, lone surrogates, brackets: what is written can be read."""
    card = a_card(id=text, state=State.FAILED, code=text or "x", message=text)
    written = exports.as_junit(text, [card]).encode()
    (suite,) = ElementTree.fromstring(written)
    assert len(suite) == 1


# ---------------------------------------------------------------- the page


def rendered(found: list[Card], **given: object) -> str:
    """The page of these cards."""
    most = int(str(given.pop("most", 20_000)))
    whole = sheet(
        "batch", found, {}, spent=(1, 2), caller=CALLER, clock=utc, made_at=NOON, most=most
    )
    return "".join(page(whole, lambda card: card.output, utc, images=bool(given.get("images"))))


@settings(max_examples=25)  # a page is a whole page
@given(st.text(st.characters(codec="utf-8")))
def test_no_text_leaves_its_place_in_the_page(text: str) -> None:
    """The page's tags are the same whatever the jobs say, and the text is in its data."""
    harmless = rendered([a_card(state=State.FAILED)])
    card = a_card(id=text, prompt=text, model=text, message=text, image=text, state=State.FAILED)
    hostile = rendered([card], images=False)
    tags = re.compile(r"<[a-zA-Z/!]+")
    options = hostile.count("<option>") - harmless.count("<option>")
    assert len(tags.findall(hostile)) == len(tags.findall(harmless)) + 2 * options
    data = re.search(r'<script type="application/json" id="jobs">(.*?)</script>', hostile, re.S)
    assert data
    assert json.loads(data[1])[0]["prompt"] == text


def test_without_images_no_address_is_written() -> None:
    """A page without remote images names no image's address, and may load none."""
    card = a_card(image="https://cdn.example.com/a.jpg?signature=s3cr3t")
    alone = rendered([card], images=False)
    assert "s3cr3t" not in alone
    assert "img-src &#39;none&#39;" in alone
    assert "img-src https:" in rendered([card], images=True)


def test_too_many_cards_keep_those_that_need_a_person() -> None:
    """Above the limit the page says so and shows what matters, in order."""
    many = [a_card(number=number, id=f"job-{number}") for number in range(10)]
    many[7] = replace(many[7], state=State.FAILED)
    whole = rendered(many, most=3)
    assert "3 jobs of 10" in whole
    assert re.findall(r'"id": "(job-\d)"', whole) == ["job-0", "job-1", "job-7"]


def test_addresses_stay_relative() -> None:
    """A path never becomes another scheme, and what is special in an address is quoted."""
    assert address("videos/a b#1?.mp4") == "./videos/a%20b%231%3F.mp4"
    assert address("../a:b/灯.mp4") == "../a%3Ab/%E7%81%AF.mp4"
    assert address("") == ""


def test_words_for_figures() -> None:
    """Lengths of time and what became of a job, as people say them."""
    assert [duration(seconds) for seconds in (4.21, 48.2, 130, 7300)] == [
        "4.2 s",
        "48 s",
        "2 min 10 s",
        "2 h 01 min",
    ]
    assert figures(a_card(attempts=0), utc) == ["nothing paid yet"]
    paid = a_card(spent=640_000, attempts=2, output="a", size=25_000, finished_at=NOON)
    assert figures(paid, utc) == ["paid 0.64", "2 attempts", "28 Nov, 12:00", "25.0 kB"]


def test_stories_cover_the_states() -> None:
    """The scene that the other tests look at has what they look for."""
    assert {Story("x").ending, *(story.ending for story in some_stories())} == {
        "done",
        "failed",
        "lost",
        "timeout",
        "running",
        "planned",
    }
