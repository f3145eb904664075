"""`metadata` and `poster` in a manifest: texts for each video, or mistakes with their line."""

from __future__ import annotations

from conftest import Load, Mistakes

from runner import posters
from runner.manifest import Manifest
from runner.manifest.fields import METADATA, POSTERS
from runner.tags import ITEMS

IMAGE = "https://a.example.com/a.jpg?signature=s"
JOBS = f"jobs: [{{id: lamp, image: '{IMAGE}', prompt: the shade sways, seed: 7}}]\n"
TABLE = f"""sku,name,photo,note
lamp,Desk lamp,{IMAGE},warm
vase,Väse,{IMAGE},
"""


def tags(manifest: Manifest) -> list[dict[str, str]]:
    """The texts inside the video of each entry."""
    return [manifest.tags(each.id, each.body, each.facts) for each in manifest.entries]


def test_every_field_is_an_item_of_the_film() -> None:
    """What a manifest may say is what can be written."""
    assert METADATA.keys() == ITEMS.keys()


def test_yes_is_id_and_prompt(loaded: Load) -> None:
    """A job without a prompt has no comment."""
    jobs = JOBS.replace("]", f", {{id: vase, image: '{IMAGE}'}}]")
    manifest = loaded(f"version: 1\nmetadata: yes\n{jobs}")
    assert tags(manifest) == [{"title": "lamp", "comment": "the shade sways"}, {"title": "vase"}]
    assert tags(loaded(f"version: 1\nmetadata: no\n{JOBS}")) == [{}]
    assert tags(loaded(f"version: 1\n{JOBS}")) == [{}]


def test_texts_are_filled_in_from_a_jobs_own_fields(loaded: Load) -> None:
    """Of the image's address nothing that could be a signature."""
    text = (
        "version: 1\nmetadata: {title: '{{ id }} {{ seed }}', artist: me, comment: '{{ image }}'}\n"
    )
    expected = {"title": "lamp 7", "artist": "me", "comment": IMAGE.partition("?")[0]}
    assert tags(loaded(text + JOBS)) == [expected]


def test_texts_are_filled_in_from_a_tables_columns(loaded: Load) -> None:
    """As they are in the cells; a row that was deleted since leaves out what it can't fill."""
    text = """version: 1
metadata: {title: "{{ name }}", comment: "{{ note | plain }}: {{ id }}", tool: runner}
catalog: {file: t.csv, columns: {id: sku, image: photo}}
"""
    manifest = loaded(text, t__csv=TABLE)
    assert tags(manifest) == [
        {"title": "Desk lamp", "comment": "warm: lamp", "tool": "runner"},
        {"title": "Väse", "comment": "plain: vase", "tool": "runner"},
    ]
    assert manifest.has_facts
    deleted = manifest.tags("lamp", manifest.entries[0].body, {})
    assert deleted == {"comment": "plain: lamp", "tool": "runner"}


def test_a_title_changes_nothing_that_is_paid_for(loaded: Load) -> None:
    """An edit of the metadata is no edit of the job."""
    first, second = (
        loaded(f"version: 1\nmetadata: {{title: {title}}}\n{JOBS}").entries[0] for title in "ab"
    )
    assert first == second


def test_every_mistake_is_told_with_its_line(mistakes: Mistakes) -> None:
    """Unknown names, empty texts, columns and cells that are not there."""
    text = """version: 1
poster: gif
metadata:
  titel: a
  comment: ""
  artist: "{{ brand }}"
  title: "{{ note }}"
  copyright: "{{ name"
catalog: {file: t.csv, columns: {id: sku, image: photo}}
"""
    found = mistakes(text, t__csv=TABLE)
    for words in (
        ":2:9: poster: `gif` is not known; one of yes, no, jpg, webp",
        ":4:3: metadata.titel: there is no field `titel` (did you mean `title`?)",
        ":5:12: metadata.comment: is empty (leave it out)",
        ":6:11: metadata.artist: there is no column `brand`",
        "t.csv:3: metadata.title: has no `note`, which metadata.title needs",
        ":8:14: metadata.copyright: `{{ name` has `{{` without its `}}`",
    ):
        assert any(words in line for line in found), (words, found)
    assert len(found) == 6


def test_a_job_without_what_a_text_needs_is_a_mistake(mistakes: Mistakes, loaded: Load) -> None:
    """A field that is not set, and a column where there is no table."""
    text = "version: 1\nmetadata: {title: '{{ %s }}'}\n" + JOBS
    (seed,) = mistakes(text % "duration")
    assert "metadata.title: the job has no `duration`" in seed
    assert "(set `duration`)" in seed
    (column,) = mistakes(text % "name")
    assert "(only a catalog has columns)" in column
    assert tags(loaded(text % "name | a lamp")) == [{"title": "a lamp"}]


def test_a_list_is_no_metadata(mistakes: Mistakes) -> None:
    """And neither is an empty mapping."""
    assert "metadata: must be a single value" in mistakes(f"version: 1\nmetadata: [a]\n{JOBS}")[0]
    assert "metadata: is empty" in mistakes(f"version: 1\nmetadata: {{}}\n{JOBS}")[0]


def test_every_kind_of_poster_can_be_drawn() -> None:
    """What a manifest may ask for is what the room of posters knows."""
    assert set(POSTERS) == set(posters._FORMATS)


def test_posters(loaded: Load) -> None:
    """`yes` is jpg; nothing is none."""
    for word, kind in {"yes": "jpg", "JPG": "jpg", "webp": "webp", "no": ""}.items():
        assert loaded(f"version: 1\nposter: {word}\n{JOBS}").poster == kind
    assert loaded(f"version: 1\n{JOBS}").poster == ""
