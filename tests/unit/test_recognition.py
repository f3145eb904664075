"""Recognising in streams comes to what recognising with everything at hand comes to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.admission import Verdict, admit
from runner.compact import Entries, Recurring
from runner.jobs import FREE_TO_EDIT, Entry, Identity, Job, Status, content_digest
from runner.recognition import Listed, recognise

# A few of each, so that all meet: explicit ids are letters, families of derived ids are words.
PROMPTS = st.sampled_from(["pan", "zoom", "tilt"])
FAMILIES = st.sampled_from(["one", "two"])
IMAGES = st.sampled_from(["https://a.example/1.jpg", "https://a.example/2.jpg"])


def asked(id: str, derived: str, image: str, prompt: str) -> Entry:
    """An entry with this request."""
    body = {"promptImage": image, "model": "gen3a_turbo", "promptText": prompt}
    return Entry(id, derived, body, content_digest(body), None, "m.yaml", 1)


ROWS = st.builds(asked, st.sampled_from("abcd"), st.just(""), IMAGES, PROMPTS) | FAMILIES.flatmap(
    lambda base: st.builds(
        asked, st.sampled_from([base, f"{base}-2", f"{base}-3"]), st.just(base), IMAGES, PROMPTS
    )
)
MANIFESTS = st.lists(ROWS, max_size=8, unique_by=lambda entry: entry.id)


@st.composite
def on_record(draw: st.DrawFn) -> list[Job]:
    """Any jobs: many under one id, many with one content, in every status."""
    rows = draw(st.lists(st.tuples(ROWS, st.sampled_from(Status)), max_size=8))
    return [
        Job(key, row.id, row.derived, row.content, row.body, status=status)
        for key, (row, status) in enumerate(rows, start=1)
    ]


def plainly(entries: list[Entry], jobs: list[Job]) -> dict[int, Job]:
    """The rule, one key after the other over all that are left.

    Of equals the newest job whose id no entry has that is left over, then the newest.
    """
    free = {job.key for job in jobs}
    found: dict[int, Job] = {}

    def pair(of_entry: Callable[[Entry], Hashable], of_job: Callable[[Job], Hashable]) -> None:
        waiting: dict[Hashable, list[Job]] = defaultdict(list)
        for job in jobs:
            if job.key in free:
                waiting[of_job(job)].append(job)
        sought = {entry.id for index, entry in enumerate(entries) if index not in found}
        for equals in waiting.values():
            equals.sort(key=lambda job: job.id not in sought)
        for index, entry in enumerate(entries):
            key = of_entry(entry)
            if index not in found and key is not None and waiting.get(key):
                found[index] = waiting[key].pop()
                free.discard(found[index].key)

    pair(lambda entry: (entry.content, entry.id), lambda job: (job.content, job.id))
    pair(lambda entry: entry.content, lambda job: job.content)
    pair(lambda entry: entry.id, lambda job: job.id)
    pair(lambda entry: entry.derived or None, lambda job: job.derived or None)
    pair(
        lambda entry: entry.body["promptImage"] if entry.derived else None,
        lambda job: (
            job.body["promptImage"] if job.derived and job.status not in FREE_TO_EDIT else None
        ),
    )
    return found


@given(MANIFESTS, on_record(), st.booleans())
def test_streams_find_what_the_rule_finds(
    entries: list[Entry], jobs: list[Job], all_alike: bool
) -> None:
    """Every entry is the same job, also when every id is thought to be there more than once."""
    with pytest.MonkeyPatch.context() as patch:
        if all_alike:
            patch.setattr(Recurring, "found", lambda self: lambda text: True)
        found = {index: job for index, _, job in recognise(entries, Listed(jobs))}
    rule = plainly(entries, jobs)
    assert {index: job.key for index, job in found.items()} == {i: j.key for i, j in rule.items()}


@given(MANIFESTS, on_record())
def test_packed_entries_are_recognised_like_plain_ones(
    entries: list[Entry], jobs: list[Job]
) -> None:
    """How entries are held says nothing about whose they are."""
    plain = list(recognise(entries, Listed(jobs)))
    assert list(recognise(Entries(entries), Listed(jobs))) == plain


def test_a_renamed_twin_leaves_its_twin_s_job_to_the_entry_of_that_id() -> None:
    """Of two equal entries one is renamed and one edited: the edited one is held, not new."""
    image = "https://a.example/1.jpg"
    twins = [asked("a", "", image, "pan"), asked("b", "", image, "pan")]
    jobs = [
        Job(key, row.id, "", row.content, row.body, status=Status.DONE)
        for key, row in enumerate(twins, start=1)
    ]
    for renamed, edited in ("ab", "ba"):
        entries = [asked("c", "", image, "pan"), asked(edited, "", image, "tilt")]
        found = {index: job.id for index, _, job in recognise(entries, Listed(jobs))}
        assert found == {0: renamed, 1: edited}


def test_the_newest_of_two_alike_is_taken_when_the_older_stands_in_step() -> None:
    """Entry and older job come up together; the newest of that id and content came up before."""
    first, second = (asked(id, "", "https://a.example/1.jpg", "pan") for id in "ab")
    jobs = [Job(key, "a", "", first.content, first.body, status=Status.DONE) for key in (1, 2)]
    found = {index: job.key for index, _, job in recognise([first, second], Listed(jobs))}
    assert found[0] == 2


@given(MANIFESTS, on_record(), st.booleans())
def test_ids_are_those_of_the_rule(
    entries: list[Entry], jobs: list[Job], accept_changes: bool
) -> None:
    """A derived id stays with its job unless it is given to another; a new one is nobody's."""
    explicit = {entry.id for entry in entries if not entry.derived}
    taken = {job.id for job in jobs} | explicit
    rule = plainly(entries, jobs)
    numbers: dict[str, int] = defaultdict(lambda: 2)
    expected = []
    for index, entry in enumerate(entries):
        id = entry.id
        if entry.derived and index in rule and rule[index].id not in explicit:
            id = rule[index].id
        elif entry.derived:
            while id in taken:
                id = f"{entry.derived}-{numbers[entry.derived]}"
                numbers[entry.derived] += 1
            taken.add(id)
        expected.append(id)
    found = admit(entries, Listed(jobs), accept_changes=accept_changes)
    rows = [found.entry(row) for row in range(len(entries))]
    assert [entry.id for entry in rows if entry] == expected


@given(MANIFESTS, on_record(), st.booleans())
def test_every_entry_and_every_job_has_one_row(
    entries: list[Entry], jobs: list[Job], accept_changes: bool
) -> None:
    """Nothing is overlooked: a job is an entry's, or it is told as removed, once."""
    found = admit(entries, Listed(jobs), accept_changes=accept_changes)
    assert sorted(key for key in found.keys if key) == [job.key for job in jobs]
    gone = {job.key: job for job in jobs if job.key in set(found.removed)}
    assert list(found.removed) == sorted(gone)
    for row in range(len(entries)):
        job, verdict = found.job(row), found.verdict(row)
        assert (job is None) == (verdict is Verdict.NEW)
        if job is not None:
            assert (verdict is Verdict.KNOWN) == (job.content == entries[row].content)


@example([3, 0, 2, 1])
@given(st.permutations(range(9)))
def test_jobs_that_stand_elsewhere_are_moved(order: list[int]) -> None:
    """Exactly those whose place is another than before."""
    entries = [asked(f"id-{n}", "", "https://a.example/1.jpg", f"pan {n}") for n in range(9)]

    class Placed(Listed):
        def identities(self) -> Iterator[Identity]:
            return (job._replace(position=job.key - 1) for job in super().identities())

    jobs = [Job(n + 1, e.id, "", e.content, e.body) for n, e in enumerate(entries)]
    found = admit([entries[n] for n in order], Placed(jobs))
    expected = {n + 1: place for place, n in enumerate(order) if n != place}
    assert dict(found.moves()) == expected


@pytest.mark.parametrize("where", ["top", "middle", "end", "nowhere"])
def test_what_is_unchanged_takes_no_second_look(where: str) -> None:
    """Wherever entries were added, the jobs are read once."""
    readings = []

    class Counted(Listed):
        def identities(self) -> Iterator[Identity]:
            readings.append(1)
            return super().identities()

    old = [asked(f"id-{n}", "", "https://a.example/1.jpg", f"pan {n}") for n in range(50)]
    jobs = [Job(n + 1, e.id, "", e.content, e.body) for n, e in enumerate(old)]
    new = [asked(f"new-{n}", "", "https://a.example/2.jpg", f"pan {n}") for n in range(3)]
    place = {"top": 0, "middle": 25, "end": 50}.get(where)
    entries = old if place is None else [*old[:place], *new, *old[place:]]
    assert len(list(recognise(entries, Counted(jobs)))) == 50
    assert len(readings) == 1
