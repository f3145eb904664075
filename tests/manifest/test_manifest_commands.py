"""check, init and schema, and the manifests that come with the project."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml
from click.testing import CliRunner, Result
from conftest import Write

from runner import models
from runner.commands.check import check
from runner.commands.init import init
from runner.commands.schema import schema as schema_command
from runner.errors import ConfigurationError, ManifestError
from runner.manifest import load, schema
from runner.manifest.draft import draft
from runner.manifest.fields import PROVIDERS
from runner.manifest.schema import schema_text

MANIFESTS = Path(__file__).parents[2] / "manifests"
IMAGE = "https://a.example.com/a.jpg"


def run(command: click.Command, *arguments: str) -> Result:
    """Run a command to its end; errors for people are raised."""
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


# ---------------------------------------------------------------- what we ship


@pytest.mark.parametrize("path", sorted(MANIFESTS.glob("*.yaml")), ids=lambda path: path.name)
def test_our_manifests_are_right(path: Path) -> None:
    """Every manifest that comes with the project loads, and its editor's schema agrees."""
    manifest = load(path)
    assert manifest.warnings == ()
    assert manifest.entries
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), schema())
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=manifest.schema.json"


def test_the_quickstart_shows_enough() -> None:
    """Eight jobs for the sandbox, with several models, prompts, shapes and lengths."""
    manifest = load(MANIFESTS / "quickstart.yaml")
    bodies = [entry.body for entry in manifest.entries]
    assert (manifest.provider, len(bodies)) == ("sandbox", 8)
    assert {body["model"] for body in bodies} == {"gen3a_turbo", "gen4_turbo"}
    assert {"1280:720", "720:1280", "960:960"} <= {str(body["ratio"]) for body in bodies}
    assert {body["duration"] for body in bodies} == {5, 10}


def test_the_schema_file_is_the_schema() -> None:
    """The committed schema is the one that the table of fields makes."""
    text = (MANIFESTS / "manifest.schema.json").read_text(encoding="utf-8")
    assert text == schema_text() == run(schema_command).stdout


def test_the_schema_is_a_schema() -> None:
    """It follows its own dialect."""
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"provider": "comet"},
        {"concurrency": 0},
        {"concurrency": "many"},
        {"rate": "fast"},
        {"rate": 30},
        {"rate": "0/min"},
        {"poll_interval": "fast"},
        {"price": {"per_second": 1, "veo3": 1}},
        {"budget": {"task": 1}},
        {"jobs": []},
        {"jobs": [{"imge": IMAGE}]},
        {"jobs": [{"image": "http://a.example.com/a.jpg"}]},
        {"jobs": [{"image": IMAGE, "seed": -1}]},
        {"jobs": [{"image": IMAGE, "ratio": "wide"}]},
        {"jobs": [{"image": IMAGE, "watermark": "maybe"}]},
        {"jobs": [{"image": IMAGE, "model": "gen3a_turbo", "duration": 7}]},
        {"jobs": [{"image": IMAGE, "model": "gen4_turbo", "ratio": "1280:768"}]},
        {"jobs": [{"image": IMAGE, "model": "gen3a_turbo", "prompt": "x" * 513}]},
        {"jobs": [{"image": IMAGE, "model": "gen3a_turbo", "seed": 10**9}]},
        {"defaults": {"id": "a"}},
        {"matrix": {"seeds": 1}},
        {"catalog": {"file": "a.xlsx"}},
        {"catalog": {"file": "a.csv", "columns": {"text": "a"}}},
        {"nmae": "a"},
    ],
    ids=str,
)
def test_the_schema_refuses_mistakes(change: dict[str, Any]) -> None:
    """What one place of a manifest can show to be wrong, the editor shows."""
    good = {"version": 1, "jobs": [{"image": IMAGE}]}
    jsonschema.validate(good, schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(good | change, schema())


# ---------------------------------------------------------------- the models' rules


@pytest.mark.parametrize("name", models.KNOWN)
def test_every_rule_of_every_model(name: str) -> None:
    """Each model takes what its row says and refuses what stands just beside it."""
    model = models.KNOWN[name]
    good: dict[str, str | int | bool] = {"prompt": "x" * model.prompt_limit, "seed": model.seed_max}
    for duration in model.durations:
        assert not list(model.problems({**good, "duration": duration}))
    for ratio in model.ratios:
        assert not list(model.problems({**good, "ratio": ratio}))
    for field, bad in (
        ("prompt", "x" * (model.prompt_limit + 1)),
        ("seed", model.seed_max + 1),
        ("duration", max(model.durations) + 1),
        ("duration", min(model.durations) - 1),
        ("ratio", "1:1"),
    ):
        assert [problem.field for problem in model.problems({**good, field: bad})] == [field]
    without = [problem.field for problem in model.problems({})]
    assert without == (["prompt"] if model.prompt_required else [])
    assert not list(model.problems({**good, **model.fills}))


def test_prompts_are_counted_as_the_model_counts() -> None:
    """A clef is one character, and two units of UTF-16."""
    clef = "\N{MUSICAL SYMBOL G CLEF}"
    assert not list(models.KNOWN["gen3a_turbo"].problems({"prompt": clef * 512}))
    assert not list(models.KNOWN["gen4_turbo"].problems({"prompt": clef * 500}))
    (problem,) = models.KNOWN["gen4_turbo"].problems({"prompt": clef * 501})
    assert problem.message == "1002 UTF-16 code units long; gen4_turbo takes at most 1000"


def test_every_provider_has_a_default_model() -> None:
    """A manifest that names no model gets a known one."""
    assert set(models.DEFAULT_MODEL) == set(PROVIDERS)
    assert set(models.DEFAULT_MODEL.values()) <= set(models.KNOWN)


# ---------------------------------------------------------------- check


def test_check_counts(write: Write) -> None:
    """A manifest that is right is one line on standard output."""
    path = write(f"version: 1\njobs: [{{image: {IMAGE}}}, {{image: {IMAGE}, model: gen9}}]")
    result = run(check, str(path))
    assert result.stdout == "manifest.yaml: 2 jobs, 2 models; no mistakes, 1 warning\n"
    assert result.stderr.startswith("warning: manifest.yaml:2:90: jobs[1].model: `gen9`")


def test_check_leaves_mistakes_to_the_caller(write: Write) -> None:
    """They are raised and not printed, so that they are printed once."""
    path = write("version: 1")
    with pytest.raises(ManifestError, match="there are no jobs"):
        run(check, str(path))


def test_check_json(write: Write) -> None:
    """With --json both outcomes are one object on standard output."""
    good = run(check, str(write(f"version: 1\njobs: [{{image: {IMAGE}}}]")), "--json")
    assert good.exit_code == 0
    assert json.loads(good.stdout) == {
        "manifest": "manifest.yaml",
        "ok": True,
        "jobs": 1,
        "models": {"gen3a_turbo": 1},
        "mistakes": [],
        "warnings": [],
    }
    bad = run(check, str(write(f"version: 1\njobs: [{{image: {IMAGE}, promt: x}}]")), "--json")
    assert (bad.exit_code, bad.stderr) == (2, "")
    assert json.loads(bad.stdout)["mistakes"] == [
        {
            "file": "manifest.yaml",
            "line": 2,
            "column": 45,
            "field": "jobs[0].promt",
            "message": "there is no field `promt`",
            "hint": "did you mean `prompt`?",
        }
    ]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("export.csv", "image", "is a table, not a manifest (make one: runner init export.csv)"),
        ("rows.jsonl", "{}", "is a table, not a manifest (make one: runner init rows.jsonl)"),
        ("prod.xlsx", "PK", "save it as CSV (UTF-8), then: runner init prod.csv"),
        ("urls.txt", IMAGE, "runner init urls.txt"),
    ],
)
def test_a_table_is_no_manifest(write: Write, name: str, text: str, words: str) -> None:
    """What stands in the manifest's place is told by its kind, and what to do with it."""
    with pytest.raises(ManifestError) as caught:
        load(write(text, name))
    assert words in str(caught.value)


def test_a_manifest_of_another_ending_is_meant(write: Write) -> None:
    """spring.yml is told to be spring.yaml; a text file may still be a manifest."""
    write("version: 1", "spring.yaml")
    with pytest.raises(ManifestError, match=r"no such file \(did you mean `spring.yaml`\?\)"):
        load(Path("spring.yml"))
    assert load(write(f"version: 1\njobs: [{{image: {IMAGE}}}]", "spring.txt")).entries


# ---------------------------------------------------------------- init


def test_init_from_a_workbook(write: Write) -> None:
    """A spreadsheet program's own file is asked for as CSV."""
    with pytest.raises(ManifestError, match=r"save it as CSV \(UTF-8\)"):
        run(init, str(write(b"PK\x03\x04", "prod.xlsx")))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_draft_loads(write: Write, provider: str) -> None:
    """The draft is right as it is, and for the editor too."""
    text = draft("batch", provider)
    assert load(write(text)).warnings == ()
    jsonschema.validate(yaml.safe_load(text), schema())


def test_a_draft_with_every_comment_taken_away_loads(write: Write) -> None:
    """The options shown in comments are right too."""
    text = re.sub(r"^# (?=[a-z_]+:|  )", "", draft("batch"), flags=re.MULTILINE)
    text = text.replace("yaml-language-server", "# yaml-language-server")
    table = f"sku,photo_url,blurb\na,{IMAGE},x\n"
    manifest = load(write(text, products__csv=table))
    assert manifest.warnings == ()
    assert len(manifest.entries) == 1 + 8 + 1


def test_init_writes_once(write: Write) -> None:
    """The manifest and the schema are written, told, and not written over."""
    write("")
    Path("manifests").mkdir()
    result = run(init)
    assert "wrote manifests/batch.yaml" in result.stdout
    assert "runner check manifests/batch.yaml" in result.stdout
    assert Path("manifests/manifest.schema.json").read_text(encoding="utf-8") == schema_text()
    assert load(Path("manifests/batch.yaml")).name == "batch"
    Path("manifests/batch.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="already there"):
        run(init)
    assert Path("manifests/batch.yaml").read_text(encoding="utf-8") == "mine"
    run(init, "--force", "--provider", "sandbox")
    assert load(Path("manifests/batch.yaml")).provider == "sandbox"


TABLES = {
    "names.csv": "sku,Photo URL,Blurb,price,size\nA-1,https://a.example.com/a.jpg,x,3,XL\n",
    "values.csv": "ref no,title,where\n1/2,Lamp,https://a.example.com/a.jpg\n",
    "semi.csv": "image;prompt\nhttps://a.example.com/a.jpg;a, b\n",
    "odd.tsv": "\x7fno:\timage # 1\nx\thttps://a.example.com/a.jpg\n",
    "lines.jsonl": '{"promptImage": "https://a.example.com/a.jpg", "seed": 7, "x": {}}\n',
}


@pytest.mark.parametrize("name", TABLES)
def test_init_from_a_table(write: Write, name: str) -> None:
    """The columns are proposed from names and values, and the manifest loads."""
    write("")
    Path("data").mkdir()
    (Path("data") / name).write_text(TABLES[name], encoding="utf-8")
    run(init, f"data/{name}")
    manifest = load(Path(name).with_suffix(".yaml"))
    assert len(manifest.entries) == 1
    assert manifest.warnings == ()


def test_columns_are_proposed_with_care(write: Write) -> None:
    """A column is taken only when all that stands in it would do."""
    table = (
        "sku,name,photo,description,model,length,size\n"
        f"a,Lamp,{IMAGE},{'x' * 600},XJ-200,120,1200:800\n"
        f"b,Lamp,{IMAGE},x,XJ-300,5,960:960\n"
    )
    write("", t__csv=table)
    run(init, "t.csv")
    found = yaml.safe_load(Path("t.yaml").read_text(encoding="utf-8"))
    assert found["catalog"]["columns"] == {"id": "sku", "image": "photo"}


def test_init_from_addresses(write: Write) -> None:
    """A text file of addresses becomes a list of jobs; what is none is located."""
    write("", **{"urls__txt": f"# mine\n{IMAGE}\n\nhttps://a.example.com/b.jpg?x=%20&y=#z\n"})
    run(init, "urls.txt")
    assert len(load(Path("urls.yaml")).entries) == 2
    write("", **{"bad__txt": f"{IMAGE}\nhttp://a.example.com/b.jpg\n"})
    with pytest.raises(ManifestError, match=r"^bad.txt:2:1: image: .* is not https"):
        run(init, "bad.txt")
    assert not Path("bad.yaml").exists()


def test_init_tells_at_once_what_check_would(write: Write) -> None:
    """The draft stays, and every mistake of the table is told with its line."""
    table = f"sku,image\na,{IMAGE}\nb,{IMAGE}?b\n,\nc,\nd,http://a.example.com/d.jpg\n"
    write("", t__csv=table + f"e,{IMAGE}?e\nf,{IMAGE}?f\n")
    with pytest.raises(ManifestError) as caught:
        run(init, "t.csv")
    assert [finding.line for finding in caught.value.findings] == [5, 6]
    assert Path("t.yaml").exists()


def test_addresses_may_have_comments(write: Write) -> None:
    """A mark of byte order, Windows' line ends and comments are no part of an address."""
    write("", **{"urls__txt": f"\ufeff# mine\r\n\r\n{IMAGE}#top  # the lamp\r\n"})
    assert "1 job; no mistakes" in run(init, "urls.txt").stdout
    assert load(Path("urls.yaml")).entries[0].body["promptImage"] == f"{IMAGE}#top"


@pytest.mark.parametrize("content", ["", "a,b\n", "a,b\nx,y\n"])
def test_init_from_a_table_without_images(write: Write, content: str) -> None:
    """Without a column of images there is nothing to begin with."""
    write("", t__csv=content)
    with pytest.raises(ManifestError, match="no column holds https addresses"):
        run(init, "t.csv")
