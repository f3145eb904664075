"""Recognising entries: order and neighbours never matter, a changed entry is never new."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from runner import admission
from runner.admission import Admission, Held, Reason, Verdict, differences, hold_existing
from runner.events import Edited, Renamed, Repriced
from runner.jobs import Entry, Job, Status, content_digest
from runner.recognition import Listed


def entry(id: str, prompt: str = "pan", *, derived: str = "") -> Entry:
    """An entry whose image is named like its family."""
    image = f"https://cdn.example.com/{derived or id}.jpg"
    body = {"promptImage": image, "model": "gen3a_turbo", "promptText": prompt}
    return Entry(id, derived, body, content_digest(body), None, "m.yaml", 1)


def job(key: int, source: Entry, status: Status = Status.DONE) -> Job:
    """The job that an entry became."""
    paid = int(status not in {Status.PLANNED, Status.FAILED})
    return Job(
        key, source.id, source.derived, source.content, source.body, status=status, attempts=paid
    )


def admit(entries: list[Entry], jobs: list[Job], *, accept_changes: bool = False) -> Admission:
    """These entries held against these jobs."""
    return admission.admit(entries, Listed(jobs), accept_changes=accept_changes)


def jobs_of(found: Admission, verdict: Verdict) -> list[Job]:
    """The jobs in the rows of one verdict."""
    jobs = [found.job(row) for row in found.rows(verdict)]
    return [each for each in jobs if each]


def entries_of(found: Admission, verdict: Verdict) -> list[Entry]:
    """The entries in the rows of one verdict."""
    asked = [found.entry(row) for row in found.rows(verdict)]
    return [each for each in asked if each]


def held_of(found: Admission) -> list[Held]:
    """What is held, in the order of the manifest."""
    held = [found.held(row) for row in range(len(found.verdicts))]
    return [each for each in held if each]


def test_everything_is_new_at_first() -> None:
    """Without a state file each entry would be submitted."""
    found = admit([entry("a"), entry("b")], [])
    assert [each.id for each in found.new] == ["a", "b"]
    assert [row for row, _ in found.additions()] == [0, 1]


def test_a_changed_paid_entry_is_held_with_what_changed() -> None:
    """One edited prompt of a paid job: held, with the field before and now."""
    found = admit([entry("a", "zoom")], [job(1, entry("a", "pan"))])
    assert not found.new
    assert held_of(found)[0].reason is Reason.CHANGED
    assert held_of(found)[0].differences == (("promptText", "pan", "zoom"),)


def test_accepting_changes_buys_and_keeps() -> None:
    """With the changes accepted the entry is new, and the old job keeps its record."""
    old = job(1, entry("a", "pan"))
    found = admit([entry("a", "zoom")], [old], accept_changes=True)
    assert [each.id for each in found.new] == ["a"]
    assert jobs_of(found, Verdict.REMOVED) == [old]


def test_an_uncertain_job_is_settled_before_its_change_is_bought() -> None:
    """Even accepted changes wait until it is known whether the old content was charged."""
    old = job(1, entry("a", "pan"), Status.UNCERTAIN)
    found = admit([entry("a", "zoom")], [old], accept_changes=True)
    assert [item.reason for item in held_of(found)] == [Reason.CHANGED]


def test_edits_to_unpaid_jobs_simply_count() -> None:
    """Planned and failed jobs take the new content."""
    for status in (Status.PLANNED, Status.FAILED):
        found = admit([entry("a", "zoom")], [job(1, entry("a", "pan"), status)])
        (_, event), *_ = found.changes()
        assert isinstance(event, Edited)
        assert event.body["promptText"] == "zoom"


def test_going_back_to_what_was_paid_costs_nothing() -> None:
    """After an accepted change, the first content is still recognised as paid for."""
    first, second = job(1, entry("a", "pan")), job(2, entry("a", "zoom"))
    found = admit([entry("a", "pan")], [first, second])
    assert [each.key for each in jobs_of(found, Verdict.KNOWN)] == [1]


def test_a_renamed_entry_is_the_same_job() -> None:
    """The same content under another explicit id is recognised and renamed."""
    paid = entry("a")
    found = admit([replace(paid, id="b")], [job(1, paid)])
    (changed, event), *_ = found.changes()
    assert changed.key == 1
    assert event == Renamed("b", "")


def test_the_same_content_twice_is_two_jobs() -> None:
    """Listed twice on purpose means paid twice, and is recognised as two afterwards."""
    twice = [entry("x", derived="x"), entry("x-2", derived="x")]
    found = admit(twice, [])
    assert [each.id for each in found.new] == ["x", "x-2"]
    again = admit(twice, [job(1, found.new[0]), job(2, found.new[1])])
    assert len(again.rows(Verdict.KNOWN)) == 2


def test_a_derived_family_survives_reordering_and_editing_at_once() -> None:
    """Same image twice: one reordered, the other edited, is one known and one held; none new."""
    first, second = entry("x", "pan", derived="x"), entry("x-2", "zoom", derived="x")
    jobs = [job(1, first), job(2, second)]
    found = admit([entry("x", "zoom", derived="x"), entry("x-2", "tilt", derived="x")], jobs)
    assert not found.new
    assert [each.key for each in jobs_of(found, Verdict.KNOWN)] == [2]
    assert [item.job.key for item in held_of(found) if item.job] == [1]


def test_a_new_member_of_a_family_takes_a_free_number() -> None:
    """An entry inserted before its twin gets a new id; the twin keeps the one it was paid under."""
    paid = entry("x", "pan", derived="x")
    found = admit([entry("x", "zoom", derived="x"), replace(paid, id="x-2")], [job(1, paid)])
    assert [each.id for each in jobs_of(found, Verdict.KNOWN)] == ["x"]
    assert [each.id for each in found.new] == ["x-2"]


def test_an_edited_matrix_is_held() -> None:
    """An edited axis value changes derived ids; what was paid for the image is still recognised."""
    paid_for = replace(entry("lamp-aaaa", "pan", derived="lamp-aaaa"))
    body = {**paid_for.body, "promptText": "zoom"}
    edited = Entry("lamp-bbbb", "lamp-bbbb", body, content_digest(body), None, "m.yaml", 1)
    found = admit([edited], [job(1, paid_for)])
    assert [item.reason for item in held_of(found)] == [Reason.CHANGED]
    added = admit([paid_for, edited], [job(1, paid_for)])
    assert [each.id for each in added.new] == ["lamp-bbbb"]


def test_an_id_that_is_claimed_is_given_up() -> None:
    """An explicit id goes to the entry that names it; the job known by content is numbered."""
    paid_for = entry("lamp")
    derived = replace(paid_for, id="lamp-1234", derived="lamp-1234")
    found = admit([derived, entry("lamp", "another")], [job(1, paid_for)])
    assert [each.id for each in entries_of(found, Verdict.KNOWN)] == ["lamp-1234"]
    assert [each.id for each in found.new] == ["lamp"]
    assert [event for _, event in found.changes()] == [Renamed("lamp-1234", "lamp-1234")]


def test_a_new_price_is_taken_where_it_still_counts() -> None:
    """Planned and failed jobs take today's price; what was paid keeps its own."""
    priced = replace(entry("a"), cost=7)
    for status in (Status.PLANNED, Status.FAILED):
        found = admit([priced], [job(1, entry("a"), status)])
        assert [event for _, event in found.changes()] == [Repriced(7)]
    assert not list(admit([priced], [job(1, entry("a"))]).changes())


def test_a_file_of_unknown_origin_holds_a_new_entry() -> None:
    """A lost state file does not pay for the catalog again; a known id is no stranger."""
    found = admit([entry("a"), entry("b")], [])
    held = hold_existing(found, {"a"})
    assert [each.id for each in held.new] == ["b"]
    assert [item.reason for item in held_of(held)] == [Reason.EXISTS]
    found = admit([entry("a", "zoom")], [job(1, entry("a"))], accept_changes=True)
    assert [each.id for each in found.new] == ["a"]
    assert hold_existing(found, {"a"}) is found


def test_differences_name_what_is_missing() -> None:
    """A field that is only on one side is shown as not set on the other."""
    assert differences({"seed": 1}, {"ratio": "960:960"}) == (
        ("ratio", "", "960:960"),
        ("seed", "1", ""),
    )


PROMPTS = st.sampled_from(["pan", "zoom", "tilt"])
EXPLICIT = st.dictionaries(st.sampled_from("abcdefgh"), PROMPTS, max_size=8).map(
    lambda ids: [entry(id, prompt) for id, prompt in ids.items()]
)
FAMILIES = st.lists(st.tuples(st.sampled_from("xyz"), PROMPTS), max_size=6)


def numbered(pairs: list[tuple[str, str]]) -> list[Entry]:
    """Entries with derived ids, numbered in the order of the manifest."""
    seen: Counter[str] = Counter()
    made = []
    for family, prompt in pairs:
        seen[family] += 1
        id = family if seen[family] == 1 else f"{family}-{seen[family]}"
        made.append(entry(id, prompt, derived=family))
    return made


def paid(entries: list[Entry]) -> list[Job]:
    """All of these, bought."""
    return [job(key, each) for key, each in enumerate(admit(entries, []).new, start=1)]


@given(EXPLICIT, FAMILIES, st.randoms(use_true_random=False))
def test_reordering_changes_nothing(
    explicit: list[Entry], families: list[tuple[str, str]], dice: object
) -> None:
    """Any order of the same lines is fully known: nothing new, held, edited or removed."""
    jobs = paid(explicit + numbered(families))
    dice.shuffle(explicit)  # type: ignore[attr-defined]
    dice.shuffle(families)  # type: ignore[attr-defined]
    found = admit(numbered(families) + explicit, jobs)
    assert not found.new
    assert not held_of(found)
    assert not found.rows(Verdict.EDITED)
    assert not found.removed
    assert sorted(each.key for each in jobs_of(found, Verdict.KNOWN)) == [each.key for each in jobs]


@given(EXPLICIT, FAMILIES, FAMILIES)
def test_inserting_and_deleting_leave_the_others_alone(
    explicit: list[Entry], families: list[tuple[str, str]], more: list[tuple[str, str]]
) -> None:
    """Every line that stays is known by its content; only lines beyond the paid ones are new."""
    jobs = paid(explicit + numbered(families))
    found = admit(numbered(more + families) + explicit, jobs)
    assert len(found.rows(Verdict.KNOWN)) == len(jobs)
    assert len(found.new) == len(more)
    assert len(found.verdicts) == len(jobs) + len(more)


@given(EXPLICIT, FAMILIES, PROMPTS)
def test_an_edited_default_buys_nothing(
    explicit: list[Entry], families: list[tuple[str, str]], prompt: str
) -> None:
    """One new prompt for all: what was paid is known or held, never new."""
    jobs = paid(explicit + numbered(families))
    edited = [entry(each.id, prompt) for each in explicit]
    edited += numbered([(family, prompt) for family, _ in families])
    found = admit(edited, jobs)
    assert not found.new
    assert len(found.rows(Verdict.KNOWN)) + len(held_of(found)) == len(edited)
