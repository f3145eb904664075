"""Manifests that are right: what becomes of each field."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Load, Mistakes, Write

from runner.errors import ConfigurationError
from runner.jobs import Entry, Limits, Rate, content_digest
from runner.manifest import Manifest, load, output_template, with_concurrency
from runner.manifest.settings import AUTO_CEILING

IMAGE = "https://a.example.com/a.jpg"
ISSUE = """
version: 1
name: spring-catalog              # default: the file's stem
provider: cometapi                # cometapi (default) | runway | sandbox
concurrency: 5                    # paid tasks in flight at the provider at once
output: outputs/{name}/{id}.mp4
budget: {tasks: 200}              # hard cap on paid submissions
price: 0.32                       # what one task costs you
poll_interval: 5s                 # least time between two polls of one task
visibility_grace: 10m             # how long a fresh id may be unknown
task_timeout: 2h                  # after that a task is uncertain, its id kept
defaults: {model: gen3a_turbo, prompt: "slow push in, soft daylight", duration: 5, \
ratio: "1280:720", watermark: false}
jobs:
  - {id: lamp-01, image: https://cdn.example.com/lamp-01.jpg, prompt: the shade sways, seed: 42}
  - image: https://cdn.example.com/chair.jpg        # id derived, stable
matrix:                           # every combination, one job each
  images: [https://cdn.example.com/a.jpg, https://cdn.example.com/b.jpg]
  prompts: [slow pan left, slow zoom out]
  seeds: [1, 2]
catalog:
  file: products.csv
  columns: {id: sku, image: photo_url, prompt: blurb}
"""
TABLE = """sku,photo_url,blurb,stock
007,https://cdn.example.com/rug.jpg,"lies, still",3
008,https://cdn.example.com/pot.jpg,,4
"""


def job(fields: str, top: str = "") -> str:
    """A manifest of one job."""
    return f"version: 1\n{top}\njobs:\n  - {{image: {IMAGE}, {fields}}}\n"


def only(manifest: Manifest) -> Entry:
    """The manifest's one entry."""
    (entry,) = manifest.entries
    return entry


def test_how_many_and_how_fast(loaded: Load) -> None:
    """`auto` leaves a ceiling, a number is one; a rate is a count and a time."""
    limits = loaded(job("id: a", "concurrency: auto\nrate: 30/min")).limits
    assert limits == Limits(concurrency=AUTO_CEILING, auto=True, rate=Rate(30, 60.0))
    assert with_concurrency(limits, None) == limits
    assert with_concurrency(limits, 3) == Limits(concurrency=3, rate=Rate(30, 60.0))
    assert with_concurrency(Limits(concurrency=3), "auto").auto


def test_a_manifest_with_everything(loaded: Load) -> None:
    """Jobs, matrix and catalog together, in this order, with the defaults under each."""
    manifest = loaded(ISSUE, products__csv=TABLE)
    assert manifest.warnings == ()
    assert manifest.limits == Limits(budget_tasks=200)
    assert (manifest.name, manifest.provider) == ("spring-catalog", "cometapi")
    assert manifest.runway_version == "2024-11-06"
    assert len(manifest.entries) == 2 + 8 + 2
    first, chair, *matrix, rug, pot = manifest.entries
    assert first.body == {
        "promptImage": "https://cdn.example.com/lamp-01.jpg",
        "promptText": "the shade sways",
        "model": "gen3a_turbo",
        "seed": 42,
        "duration": 5,
        "ratio": "1280:720",
        "watermark": False,
    }
    assert (first.id, first.derived, first.cost) == ("lamp-01", "", 320_000)
    assert first.content == content_digest(first.body)
    assert chair.id == chair.derived == "chair-" + chair.id[-8:]
    assert len({entry.id for entry in matrix}) == len(matrix)
    assert (rug.id, rug.body["promptText"], rug.file, rug.line) == (
        "007",
        "lies, still",
        "products.csv",
        2,
    )
    assert pot.body["promptText"] == "slow push in, soft daylight"


def test_only_what_was_set_is_sent(loaded: Load) -> None:
    """Without defaults, a request has its image and its model, and no more."""
    entry = only(loaded(f"version: 1\njobs: [{{image: {IMAGE}}}]"))
    assert entry.body == {"promptImage": IMAGE, "model": "gen3a_turbo"}


@pytest.mark.parametrize(
    ("provider", "fields", "body"),
    [
        ("runway", "", {"model": "gen4_turbo", "ratio": "1280:720"}),
        (
            "cometapi",
            "model: gen4_turbo, ratio: 960:960",
            {"model": "gen4_turbo", "ratio": "960:960"},
        ),
        (
            "cometapi",
            "model: gen4.5, prompt: x",
            {"model": "gen4.5", "promptText": "x", "ratio": "1280:720", "duration": 5},
        ),
        ("cometapi", "model: veo3.1", {"model": "veo3.1", "ratio": "1280:720"}),
        ("sandbox", "", {"model": "gen3a_turbo"}),
    ],
)
def test_what_the_model_requires_is_filled_in(
    loaded: Load, provider: str, fields: str, body: dict[str, object]
) -> None:
    """The model's required fields are sent even when nobody set them."""
    entry = only(loaded(job(fields, f"provider: {provider}")))
    assert entry.body == {"promptImage": IMAGE, **body}


@pytest.mark.parametrize("word", ["true", "yes", "on", "'true'", "True", '"yes"'])
def test_words_for_true(loaded: Load, word: str) -> None:
    """A watermark may be asked for in all the words of YAML, quoted or not."""
    assert only(loaded(job(f"watermark: {word}"))).body["watermark"] is True


@pytest.mark.parametrize("word", ["false", "no", "off", "'no'", "OFF"])
def test_words_for_false(loaded: Load, word: str) -> None:
    """`no` is false here and no text, quoted or not."""
    assert only(loaded(job(f"watermark: {word}"))).body["watermark"] is False


@pytest.mark.parametrize("id", ["007", "1e3", "1_000", "yes", "2024-01-01", "Löwe", "कि", "a b+c"])
def test_an_id_keeps_its_text(loaded: Load, id: str) -> None:
    """What YAML would read as a number, a date or a truth stays the text it is."""
    assert only(loaded(job(f"id: {id}"))).id == id


def test_a_folded_prompt_is_trimmed(loaded: Load) -> None:
    """A block of text loses the line break at its end, not those inside."""
    text = f"version: 1\njobs:\n  - image: {IMAGE}\n    prompt: |\n      one\n      two\n"
    assert only(loaded(text)).body["promptText"] == "one\ntwo"


def test_anchors_and_merges(loaded: Load) -> None:
    """Anchors, aliases and `<<` work, and what stands in the job wins."""
    text = (
        "version: 1\njobs:\n"
        f"  - &lamp {{image: {IMAGE}, seed: 1, duration: 5}}\n"
        "  - {<<: *lamp, seed: 2}\n  - {<<: [{seed: 3}, *lamp], duration: 10}\n  - *lamp\n"
    )
    bodies = [entry.body for entry in loaded(text).entries]
    assert [(body["seed"], body["duration"]) for body in bodies] == [
        (1, 5),
        (2, 5),
        (3, 10),
        (1, 5),
    ]


def test_the_same_job_twice_is_two_jobs(loaded: Load) -> None:
    """Equal lines are two jobs with the same content, the second numbered."""
    text = f"version: 1\njobs:\n  - image: {IMAGE}\n  - image: {IMAGE}\n  - image: {IMAGE}\n"
    first, second, third = loaded(text).entries
    assert first.content == second.content == third.content
    assert first.derived == second.derived == third.derived == first.id
    assert (second.id, third.id) == (f"{first.id}-2", f"{first.id}-3")


def test_a_number_steps_over_an_explicit_id(loaded: Load) -> None:
    """A derived id never takes one that the manifest gives, in whatever case."""
    base = only(loaded(f"version: 1\njobs: [{{image: {IMAGE}}}]")).id
    text = (
        f"version: 1\njobs:\n  - image: {IMAGE}\n  - image: {IMAGE}\n"
        f"  - {{id: {base.upper()}-2, image: {IMAGE}}}\n"
    )
    assert [entry.id for entry in loaded(text).entries] == [base, f"{base}-3", f"{base.upper()}-2"]


@pytest.mark.parametrize(
    ("url", "slug"),
    [
        ("https://a.example.com/Desk%20Lamp.final.JPG?x=1#y", "desk-lamp-final"),
        ("https://a.example.com/b/caf%C3%A9.png", "cafe"),
        ("https://a.example.com/%E7%8C%AB.png", "image"),
        ("https://a.example.com", "image"),
        ("https://a.example.com/folder/", "folder"),
        ("https://a.example.com/" + "x" * 200 + ".jpg", "x" * 40),
    ],
)
def test_a_derived_id_begins_with_the_file_name(loaded: Load, url: str, slug: str) -> None:
    """The id of a job without one is the image's name and eight digits of its address."""
    id = only(loaded(f"version: 1\njobs: [{{image: '{url}'}}]")).id
    assert id[:-9] == slug
    assert id[-9] == "-"


def test_matrix_ids_stand_when_an_axis_grows(loaded: Load) -> None:
    """Another value on an axis adds jobs and renames none."""
    text = "version: 1\nmatrix:\n  images: [{}]\n  seeds: [1{}]\n  prompts: [a{}]\n"
    before = {entry.id for entry in loaded(text.format(IMAGE, "", "")).entries}
    after = {entry.id for entry in loaded(text.format(IMAGE, ", 2, 3", ", b")).entries}
    assert before < after
    assert len(after) == 6


def test_a_matrix_of_images_alone_names_them_like_jobs(loaded: Load) -> None:
    """Moving an image from `jobs` into a matrix keeps its id."""
    one = only(loaded(f"version: 1\njobs: [{{image: {IMAGE}}}]"))
    other = only(loaded(f"version: 1\nmatrix: {{images: [{IMAGE}]}}"))
    assert one.id == other.id


@pytest.mark.parametrize(
    ("price", "cost"),
    [
        ("0.32", 320_000),
        ("0.0000005", 1),
        ("{gen3a_turbo: 0.1, veo3: 2}", 100_000),
        ("{per_second: 0.05}", 500_000),
        ("{gen3a_turbo: {per_second: 0.01}}", 100_000),
        ("0", 0),
    ],
)
def test_prices(loaded: Load, price: str, cost: int) -> None:
    """A price by task or second, for all models or one, in whole millionths, halves up."""
    manifest = loaded(job("duration: 10", f"price: {price}\nbudget: {{cost: 60.00}}"))
    assert only(manifest).cost == cost
    assert manifest.limits.budget_cost == 60_000_000


def test_a_price_per_second_knows_the_usual_duration(loaded: Load) -> None:
    """Where nobody set a duration, that of the provider's page is what will be paid."""
    assert only(loaded(job("seed: 1", "price: {per_second: 0.1}"))).cost == 500_000


def test_no_price_no_cost(loaded: Load) -> None:
    """Without a price the cost is unknown, and that is no mistake."""
    manifest = loaded(job("seed: 1"))
    assert (only(manifest).cost, manifest.warnings) == (None, ())


@pytest.mark.parametrize(
    ("fields", "top", "said"),
    [
        ("model: gen9", "", "`gen9` is not a known model"),
        ("model: gen4_turbo, watermark: true", "", "gen4_turbo doesn't list it"),
        ("model: gen3a_turbo", "provider: runway", "Runway retired gen3a_turbo on 2026-07-30"),
        ("ratio: 960:960", "provider: runway\npoll_interval: 1s", "shorter than the 5s"),
        ("seed: 1", "visibility_grace: 3h", "longer than task_timeout"),
        ("seed: 1", "price: {veo3: 1}", "no price for `gen3a_turbo`"),
        ("model: gen4_turbo", "price: {per_second: 1}", "has no known duration"),
    ],
)
def test_doubts_are_warnings(loaded: Load, fields: str, top: str, said: str) -> None:
    """What may be meant is loaded all the same, with one warning."""
    (warning,) = loaded(job(fields, top)).warnings
    assert said in str(warning)


def test_a_host_that_is_no_domain_is_a_warning(loaded: Load) -> None:
    """Only Runway is known to refuse images from a bare IP address."""
    manifest = loaded("version: 1\njobs: [{image: 'https://10.0.0.1/a.jpg'}]")
    assert "not a public domain name" in str(manifest.warnings[0])


def test_the_same_doubt_is_told_once(loaded: Load) -> None:
    """A hundred jobs of one unknown model are one warning with a count."""
    rows = "".join(f"  - {{image: {IMAGE}, model: gen9}}\n" for _ in range(100))
    (warning,) = loaded(f"version: 1\njobs:\n{rows}").warnings
    assert warning.line == 3
    assert "(and 99 more)" in warning.message


def test_ids_that_differ_in_case_are_a_warning(loaded: Load) -> None:
    """They are two files here and one on other disks."""
    text = f"version: 1\njobs:\n  - {{id: a, image: {IMAGE}}}\n  - {{id: A, image: {IMAGE}}}\n"
    (warning,) = loaded(text).warnings
    assert (warning.line, warning.field) == (4, "jobs[1].id")


def test_an_unknown_model_passes_unchecked(loaded: Load) -> None:
    """Its own ratios, lengths and seeds are its provider's affair."""
    fields = f"model: gen9, ratio: auto_720p, duration: 33, seed: {2**40}, prompt: {'x' * 3000}"
    assert only(loaded(job(fields))).body["ratio"] == "auto_720p"


def test_output_paths(loaded: Load) -> None:
    """Every placeholder is filled in, with nothing in it that could be a folder."""
    top = 'name: spring\noutput: "v/{name}/{model}/{ratio}/{seed}-{duration}/{id}.mp4"'
    manifest = loaded(job("id: a, model: org/gen:9, ratio: 1280:720, seed: 5", top))
    entry = only(manifest)
    path = manifest.place(entry)
    assert path == Path("v/spring/org-genx9/1280x720/5-auto/a.mp4")


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("videos", "videos/{id}.mp4"),
        ("videos/", "videos/{id}.mp4"),
        ("/srv/{name}", "/srv/{name}/{id}.mp4"),
        ("../{id}.mp4", "../{id}.mp4"),
        ("{id}/video.mp4", "{id}/video.mp4"),
    ],
)
def test_a_folder_is_a_template(text: str, template: str) -> None:
    """A folder means one file for each id in it."""
    assert output_template(text) == template


def test_another_output_for_a_loaded_manifest(loaded: Load) -> None:
    """The command line's output takes the same forms and the same checks."""
    manifest = loaded(
        f"version: 1\njobs:\n  - {{id: a, seed: 11, image: {IMAGE}}}\n"
        f"  - {{id: a1, seed: 1, image: {IMAGE}}}\n"
    )
    moved = manifest.with_output("elsewhere")
    assert moved.output_path("a", {}, {}) == Path("elsewhere/a.mp4")
    with pytest.raises(ConfigurationError, match="would both be"):
        manifest.with_output("{id}{seed}.mp4")
    with pytest.raises(ConfigurationError, match="one file for all"):
        manifest.with_output("a.mp4")


def test_the_name_is_that_of_the_file(write: Write) -> None:
    """A manifest without a name has its file's; one that can't be a name is refused."""
    text = f"version: 1\njobs: [{{image: {IMAGE}}}]"
    assert load(write(text, name="spring.v2.yaml")).name == "spring.v2"


def test_a_file_name_that_is_no_name(mistakes: Mistakes) -> None:
    """The file's own name has to be as safe as one that is written down."""
    (line,) = mistakes(f"version: 1\njobs: [{{image: {IMAGE}}}]", name="a,b.yaml")
    assert line.startswith("a,b.yaml: name: the file's own name can't be it")


def test_a_byte_order_mark_is_no_mistake(loaded: Load) -> None:
    """Files from Windows editors load like others, manifests and catalogs."""
    text = b"\xef\xbb\xbfversion: 1\ncatalog: {file: t.csv}"
    table = b"\xef\xbb\xbfimage,seed\r\nhttps://a.example.com/a.jpg,5\r\n"
    assert only(loaded(text, t__csv=table)).body["seed"] == 5


def test_catalog_cells(loaded: Load) -> None:
    """Blank rows are passed over, blank cells take the default, columns not mapped are ignored."""
    table = (
        "image,seed,price\n\nhttps://a.example.com/a.jpg, 7 ,3\n,,\nhttps://a.example.com/b.jpg,,\n"
    )
    manifest = loaded("version: 1\ndefaults: {seed: 1}\ncatalog: {file: t.csv}", t__csv=table)
    found = [(entry.line, entry.body["seed"]) for entry in manifest.entries]
    assert found == [(3, 7), (5, 1)]
    assert manifest.warnings == ()


def test_columns_that_look_like_fields_are_a_warning(loaded: Load) -> None:
    """A column that was surely meant and isn't used is named."""
    table = "image,Prompt\nhttps://a.example.com/a.jpg,sways\n"
    (warning,) = loaded("version: 1\ncatalog: {file: t.csv}", t__csv=table).warnings
    assert "add `prompt: Prompt` to `columns`" in str(warning)


def test_json_lines(loaded: Load) -> None:
    """Numbers, truths and texts of JSON lines are read as their texts are."""
    table = (
        '{"image": "https://a.example.com/a.jpg", "id": "007", "seed": 7, "watermark": true}\n\n'
        '{"image": "https://a.example.com/b.jpg", "id": 8, "seed": null, "tags": [1]}\n'
    )
    first, second = loaded("version: 1\ncatalog: {file: t.jsonl}", t__jsonl=table).entries
    assert (first.id, first.body["seed"], first.body["watermark"]) == ("007", 7, True)
    assert (second.id, second.line, "seed" in second.body) == ("8", 3, False)


def test_semicolons_and_tabs(loaded: Load) -> None:
    """The tables of spreadsheets that separate with semicolons or tabs load too."""
    semicolons = "image;prompt\nhttps://a.example.com/a.jpg;slow, soft\n"
    tabs = "image\tprompt\nhttps://a.example.com/a.jpg\tslow, soft\n"
    one = only(loaded("version: 1\ncatalog: {file: t.csv}", t__csv=semicolons))
    other = only(loaded("version: 1\ncatalog: {file: T.TSV}", T__TSV=tabs))
    assert one.body["promptText"] == other.body["promptText"] == "slow, soft"
