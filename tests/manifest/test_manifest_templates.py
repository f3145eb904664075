"""Prompts filled in for each row, camera moves by name, and defaults that several files share."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from conftest import Load, attempt
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import ConfigurationError, ManifestError
from runner.jobs import content_digest
from runner.manifest import Manifest, load
from runner.manifest.output import segment
from runner.manifest.presets import CAMERA, Presets
from runner.manifest.templates import is_template, pieces
from runner.manifest.values import InvalidError

IMAGE = "https://a.example.com/a.jpg"
TABLE = f"""sku,Product name,room,image,note
lamp,Desk lamp,kitchen,{IMAGE},
vase, Vase ,,{IMAGE},"{{{{ room }}}}"
"""


def prompts(manifest: Manifest) -> list[object]:
    """What is sent as the prompt of each entry."""
    return [entry.body.get("promptText") for entry in manifest.entries]


def test_a_default_is_filled_in_for_each_row(loaded: Load) -> None:
    """Cells without the space around them; a word of the template's own for an empty one."""
    text = """version: 1
defaults: {prompt: "{{ Product name }} in {{room|the hall}}, slow push in"}
catalog: {file: t.csv, columns: {image: image}}
"""
    manifest = loaded(text, t__csv=TABLE)
    assert prompts(manifest) == [
        "Desk lamp in kitchen, slow push in",
        "Vase in the hall, slow push in",
    ]
    first = manifest.entries[0]
    assert first.content == content_digest(first.body)


def test_columns_may_be_templates_and_cells_are_none(loaded: Load) -> None:
    """Any field can be put together from columns; what a cell says is sent as it is."""
    text = """version: 1
defaults: {prompt: "no {{ room }}"}
catalog:
  file: t.csv
  columns: {id: "{{ sku }}-1", image: "https://a.example.com/{{ sku }}.jpg", prompt: note}
"""
    first, second = loaded(text, t__csv=TABLE).entries
    assert (first.id, second.id) == ("lamp-1", "vase-1")
    assert first.body["promptImage"] == "https://a.example.com/lamp.jpg"
    assert (first.body["promptText"], second.body["promptText"]) == ("no kitchen", "{{ room }}")


def test_tables_of_objects_are_filled_in_too(loaded: Load) -> None:
    """A .jsonl row may leave out what the template has a word for."""
    text = 'version: 1\ndefaults: {prompt: "{{ name | it }} {{ n }}"}\ncatalog: {file: t.jsonl}\n'
    rows = f'{{"image": "{IMAGE}", "n": 7}}\n{{"image": "{IMAGE}", "name": "Vase", "n": 8}}\n'
    assert prompts(loaded(text, t__jsonl=rows)) == ["it 7", "Vase 8"]


def test_jobs_and_matrices_fill_in_their_own_fields(loaded: Load) -> None:
    """Without a table, the names are those of the job's own fields and of the defaults."""
    text = f"""version: 1
defaults: {{prompt: "{{{{ id | one }}}} for {{{{ duration }}}} seconds", duration: 5}}
jobs:
  - {{id: lamp, image: {IMAGE}, duration: 10}}
matrix: {{images: [{IMAGE}], prompts: ["{{{{ seed }}}} times", still], seeds: [3]}}
"""
    manifest = loaded(text)
    assert prompts(manifest) == ["lamp for 10 seconds", "3 times", "still"]


def test_a_move_is_put_behind_the_prompt(loaded: Load) -> None:
    """By its name in any spelling, built in or the user's own; alone it is the prompt."""
    text = f"""version: 1
presets: {{hero: low angle, static: locked off}}
defaults: {{camera: Slow-Push-In}}
jobs:
  - {{id: a, image: {IMAGE}, prompt: it turns}}
  - {{id: b, image: {IMAGE}}}
  - {{id: c, image: {IMAGE}, prompt: it turns, camera: hero}}
  - {{id: d, image: {IMAGE}, prompt: it turns, camera: static}}
"""
    manifest = loaded(text)
    move = CAMERA["slow push in"]
    assert prompts(manifest) == [
        f"it turns, {move}",
        move,
        "it turns, low angle",
        "it turns, locked off",
    ]
    assert not any("camera" in entry.body for entry in manifest.entries)


def test_moves_are_an_axis_and_don_t_touch_other_ids(loaded: Load) -> None:
    """A matrix of moves is jobs of their own; a default move changes no derived id."""
    images = f"version: 1\n{{}}matrix: {{{{images: [{IMAGE}], prompts: [x]{{}}}}}}\n"
    plain = loaded(images.format("", "")).entries[0]
    moved = loaded(images.format("defaults: {camera: static}\n", "")).entries[0]
    axis = loaded(images.format("", ", cameras: [pan left, pan right]")).entries
    assert plain.derived == moved.derived
    assert plain.content != moved.content
    assert len({entry.id for entry in axis}) == len({entry.content for entry in axis}) == 2


def test_the_manifest_goes_before_what_it_includes(loaded: Load) -> None:
    """A later file goes before an earlier one, and what a manifest says itself before both."""
    text = f"""version: 1
include: [a.yaml, b.yaml]
defaults: {{ratio: 960:960}}
presets: {{two: from the manifest}}
jobs:
  - {{id: a, image: {IMAGE}, camera: one}}
  - {{id: b, image: {IMAGE}, camera: two, prompt: own}}
"""
    a = "defaults: {duration: 10, ratio: 720:1280, prompt: from a}\npresets: {one: 1, two: 2}\n"
    b = 'defaults: {duration: 5, seed: 1, prompt: "{{ id }} from b"}\n'
    first, second = loaded(text, a__yaml=a, b__yaml=b).entries
    assert first.body["promptText"] == "a from b, 1"
    assert second.body["promptText"] == "own, from the manifest"
    assert (first.body["duration"], first.body["seed"], first.body["ratio"]) == (5, 1, "960:960")


def test_every_built_in_move_is_found_and_fits() -> None:
    """No two are one name, and each leaves room for a prompt."""
    moves = Presets({})
    assert all(moves.words(name.title()) == words for name, words in CAMERA.items())
    assert max(map(len, CAMERA.values())) < 100


@settings(max_examples=100)
@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """A text is what it was where nothing is to be filled in; or it is refused in print."""
    try:
        found, said = pieces(text), ""
    except InvalidError as problem:
        found, said = (), problem.message
    assert said.isprintable()
    if not is_template(text):
        assert "".join(part for part in found if isinstance(part, str)) == text


@settings(max_examples=60)
@given(st.lists(st.text("ab {}|,\"'é", max_size=8), min_size=1, max_size=4))
def test_cells_are_filled_in_as_they_are(cells: list[str]) -> None:
    """Whatever stands in a cell stands in the prompt: a cell is never read as a template."""
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(
        [["image", "x"], *([IMAGE, cell] for cell in cells)]
    )
    text = 'version: 1\ndefaults: {prompt: "<{{ x | - }}>"}\ncatalog: {file: t.csv}\n'
    manifest = attempt({"m.yaml": text.encode(), "t.csv": table.getvalue().encode()})
    assert isinstance(manifest, Manifest)
    assert prompts(manifest) == [f"<{cell.strip() or '-'}>" for cell in cells]


@pytest.mark.parametrize("name", ["slow push inn", "Slow_Push"])
def test_a_near_name_is_offered(name: str) -> None:
    """A misspelt move is refused with the one that was meant."""
    with pytest.raises(InvalidError) as refused:
        Presets({}).words(name)
    assert refused.value.hint.startswith("did you mean `")


def test_columns_name_the_videos(loaded: Load) -> None:
    """A path has cells in it, made fit for one; what a placeholder means goes before a column."""
    text = """version: 1
output: "out/{Product name}/{ratio}/{sku}/{id}.mp4"
catalog: {file: t.csv, columns: {id: sku, image: image}}
"""
    table = f"sku,Product name,image,ratio\na,Lamp: red/green,{IMAGE},x\nb,Väse..,{IMAGE},x\n"
    manifest = loaded(text, t__csv=table)
    assert [str(manifest.place(entry)) for entry in manifest.entries] == [
        "out/Lamp- red-green/auto/a/a.mp4",
        "out/Väse/auto/b/b.mp4",
    ]
    with pytest.raises(ConfigurationError, match="not a placeholder"):
        manifest.with_output("elsewhere/{sku}/{id}.mp4")


@settings(max_examples=200)
@given(st.text(max_size=130) | st.text("./\\- aé", max_size=12))
def test_a_cell_never_leaves_its_folder(text: str) -> None:
    """Whatever a cell says becomes one part of a path, or is refused; made fit, it stays so."""
    try:
        part = segment(text)
    except InvalidError:
        return
    assert Path(part).name == part
    assert part not in {".", ".."}
    assert "/" not in part
    assert segment(part) == part


def test_a_manifest_that_includes_itself(tmp_path: Path) -> None:
    """One mistake, where it is written, instead of one for each field of the manifest."""
    path = tmp_path / "batch.yaml"
    job = f"{{id: a, image: {IMAGE}, prompt: p}}"
    path.write_text(f"version: 1\nname: x\ninclude: ./batch.yaml\njobs: [{job}]\n")
    with pytest.raises(ManifestError) as refused:
        load(path)
    (finding,) = refused.value.findings
    assert (finding.line, finding.column, finding.field) == (3, 10, "include")
    assert finding.message == "includes itself: batch.yaml -> batch.yaml"
