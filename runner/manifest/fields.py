"""The fields of a manifest: the one table behind parsing, suggestions, schema and drafts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runner import models
from runner.jobs import Limits
from runner.manifest import addresses, output, presets, values

Schema = dict[str, Any]
Parse = Callable[[str], Any]
PROVIDERS = ("cometapi", "runway", "sandbox")
POSTERS = ("jpg", "webp")
PREFLIGHTS = ("strict", "warn", "off")
DAY = 86_400
MAX_CONCURRENCY = 10_000
_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Field:
    """One field: how its text becomes a value, what it means, and what editors are told.

    `parse` is None where the value is a section with fields of its own. `wire` is the name in
    the request. `aliases` are names by which people look for it. `default` is shown, not applied.
    """

    name: str
    doc: str
    schema: Schema
    parse: Parse | None = None
    wire: str = ""
    aliases: tuple[str, ...] = ()
    default: str = ""

    @property
    def axis(self) -> str:
        """The name of this field's list in a matrix."""
        return f"{self.name}s"


def _table(*rows: Field) -> Mapping[str, Field]:
    return {row.name: row for row in rows}


def _poster(text: str) -> str:
    """The kind of picture that is wanted, "" for none."""
    if text.lower() in POSTERS:
        return text.lower()
    try:
        return POSTERS[0] if values.boolean(text) else ""
    except values.InvalidError:
        message = f"{values.shown(text)} is not known; one of yes, no, {', '.join(POSTERS)}"
        raise values.InvalidError(message) from None


def _number(low: float, high: float) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


_TIME: Schema = {
    "type": ["string", "number"],
    "pattern": r"^([0-9.]+ ?(d|h|m|s|ms) ?)+$|^[0-9]+(\.[0-9]+)?$",
    "minimum": 0,
    "examples": ["5s", "10m", "2h", "1h30m"],
}
SWITCH: Schema = {
    "anyOf": [{"type": "boolean"}, {"enum": ["yes", "no", "on", "off", "true", "false"]}]
}
_AMOUNT: Schema = {"type": ["number", "string"], "minimum": 0, "pattern": r"^[0-9]+(\.[0-9]+)?$"}
_ID: Schema = {"type": ["string", "integer"], "minLength": 1, "maxLength": values.MAX_ID}

JOB = _table(
    Field(
        "id",
        "Name of the job and of its video. Left out, a stable one is made from the image.",
        _ID | {"examples": ["lamp-01"]},
        values.identifier,
        aliases=(
            "sku",
            "key",
            "jobid",
            "job",
            "slug",
            "code",
            "identifier",
            "ref",
            "handle",
            "name",
        ),
    ),
    Field(
        "image",
        "HTTPS address of the image to animate.",
        {
            "type": "string",
            "pattern": "^[Hh][Tt][Tt][Pp][Ss]://",
            "maxLength": addresses.MAX_URL,
            "examples": ["https://cdn.example.com/lamp-01.jpg"],
        },
        addresses.image,
        wire="promptImage",
        aliases=("url", "uri", "imageurl", "photo", "photourl", "picture", "src", "img", "link"),
    ),
    Field(
        "prompt",
        "What moves, and how. Its greatest length depends on the model.",
        {"type": "string", "minLength": 1, "examples": ["slow push in, soft daylight"]},
        values.prompt,
        wire="promptText",
        aliases=("text", "blurb", "caption", "description", "motion"),
    ),
    Field(
        "camera",
        "A camera move by its name; its words are put behind the prompt.",
        {"type": "string", "minLength": 1, "examples": list(presets.CAMERA)},
        values.preset,
        aliases=("cameramove", "move", "shot", "movement", "preset"),
    ),
    Field(
        "model",
        "The model that renders. One that is not known here is passed through unchecked.",
        {"type": "string", "anyOf": [{"enum": list(models.KNOWN)}, {"minLength": 1}]},
        values.model,
        wire="model",
        aliases=("modelid", "modelname", "engine"),
        default="gen3a_turbo; gen4_turbo for runway",
    ),
    Field(
        "seed",
        "Same seed, same request, similar video. Left out, the provider picks one.",
        {"type": "integer", "minimum": 0},
        values.integer(0, 2**63 - 1),
        wire="seed",
        aliases=("randomseed", "rng"),
    ),
    Field(
        "duration",
        "Length of the video in whole seconds.",
        _number(1, 3600) | {"examples": [5, 10]},
        values.integer(1, 3600),
        wire="duration",
        aliases=("length", "seconds", "time", "secs"),
        default="the provider's, 5 for gen3a_turbo",
    ),
    Field(
        "ratio",
        "Width and height of the video in pixels, as `width:height`.",
        {
            "type": "string",
            "anyOf": [
                {"enum": list(models.RATIOS)},
                {"pattern": "^([1-9][0-9]*:[1-9][0-9]*|auto[_0-9a-z]*)$"},
            ],
        },
        values.ratio,
        wire="ratio",
        aliases=("aspectratio", "aspect", "size", "resolution", "format", "dimensions"),
        default="the provider's, 1280:720 where the model requires one",
    ),
    Field(
        "watermark",
        "Whether the video carries the provider's mark; not every model knows it.",
        SWITCH,
        values.boolean,
        wire="watermark",
        aliases=("addwatermark", "mark"),
    ),
)
DEFAULTS = {name: row for name, row in JOB.items() if name != "id"}
WIRE = tuple(row for row in JOB.values() if row.wire)
AXES = {row.axis: row for row in DEFAULTS.values() if row.name != "watermark"}

BUDGET = _table(
    Field(
        "tasks",
        "At most so many paid submissions, over all runs.",
        _number(0, 10**9),
        values.integer(0, 10**9),
        aliases=("jobs", "count", "submissions", "max"),
    ),
    Field(
        "cost",
        "At most so much money, over all runs, in the unit of `price`; needs `price`.",
        _AMOUNT,
        values.amount,
        aliases=("money", "amount", "usd", "dollars", "total"),
    ),
    Field(
        "tasks_per_day",
        "At most so many paid submissions in a day of UTC, over all runs.",
        _number(0, 10**9),
        values.integer(0, 10**9),
        aliases=("daily", "dailytasks", "perday"),
    ),
    Field(
        "cost_per_day",
        "At most so much money in a day of UTC, over all runs; needs `price`.",
        _AMOUNT,
        values.amount,
        aliases=("dailycost", "dailymoney"),
    ),
    Field(
        "tasks_per_run",
        "At most so many paid submissions in one run.",
        _number(0, 10**9),
        values.integer(0, 10**9),
        aliases=("maxtasks", "perrun"),
    ),
    Field(
        "cost_per_run",
        "At most so much money in one run; needs `price`.",
        _AMOUNT,
        values.amount,
        aliases=("maxcost",),
    ),
)
CONFIRM = _table(
    Field("tasks", "Ask above so many tasks.", _number(0, 10**9), values.integer(0, 10**9)),
    Field("cost", "Ask above so much money; needs `price`.", _AMOUNT, values.amount),
)
CATALOG = _table(
    Field(
        "file",
        "A table of jobs, one a row: .csv, .tsv or .jsonl, relative to this manifest.",
        {"type": "string", "pattern": r"\.([Cc][Ss][Vv]|[Tt][Ss][Vv]|[Jj][Ss][Oo][Nn][Ll])$"},
        values.file_name,
        aliases=("path", "source", "csv", "table"),
    ),
    Field(
        "columns",
        "Which column holds which field, or a text with `{{ column }}` in it. Left out, columns "
        "are named like the fields.",
        {"type": "object"},
        aliases=("mapping", "fields", "headers", "map"),
    ),
)
_ADDRESS: Schema = {"type": "string", "pattern": "^(https?://|env:[A-Za-z_])"}
_COMMAND: Schema = {"type": "array", "items": {"type": ["string", "number"]}, "minItems": 1}
NOTIFY = _table(
    Field(
        "urls",
        "Addresses as Apprise writes them, or env:NAME for a variable that holds one.",
        {
            "type": ["array", "string"],
            "items": {"type": "string", "pattern": "^([A-Za-z][A-Za-z0-9+.-]*://|env:)"},
            "minItems": 1,
            "examples": [["env:NOTIFY_URL"]],
        },
        values.notify_url,
        aliases=("url", "to", "addresses", "services"),
    ),
    Field(
        "on",
        "When: the outcomes that are told, each once.",
        {"type": ["array", "string"], "items": {"enum": list(values.KINDS)}, "minItems": 1},
        values.one_of(*values.KINDS),
        aliases=("when", "events", "kinds"),
        default="done, failed, person, account",
    ),
)
ON_DONE = _table(
    Field(
        "job",
        "A program and its arguments, started for each video that came home.",
        _COMMAND,
        aliases=("each", "video", "jobs"),
    ),
    Field(
        "run",
        "A program and its arguments, started after each run that changed something.",
        _COMMAND,
        aliases=("batch", "all", "end"),
    ),
    Field(
        "timeout",
        "After so long such a program is killed.",
        _TIME,
        values.span(0.001, DAY),
        aliases=("limit", "patience"),
        default="60s",
    ),
)
_TEXT: Schema = {"type": ["string", "number"], "minLength": 1}
METADATA = _table(
    Field(
        "title",
        "What players show as the name.",
        _TEXT,
        values.caption,
        aliases=("name", "heading"),
    ),
    Field(
        "comment",
        "What players show as the comment.",
        _TEXT,
        values.caption,
        aliases=("note", "comments"),
    ),
    Field(
        "description",
        "What the video shows.",
        _TEXT,
        values.caption,
        aliases=("desc", "summary", "synopsis"),
    ),
    Field(
        "artist",
        "Who made it.",
        _TEXT,
        values.caption,
        aliases=("author", "creator", "maker"),
    ),
    Field(
        "copyright",
        "Who has the rights.",
        _TEXT,
        values.caption,
        aliases=("rights", "licence", "license"),
    ),
    Field(
        "tool",
        "What made it; left out, the name of the encoder stays.",
        _TEXT,
        values.caption,
        aliases=("encoder", "software"),
    ),
)
PER_SECOND = _table(
    Field("per_second", "What one second of video costs.", _AMOUNT, values.amount),
)

TOP = _table(
    Field(
        "version",
        "The version of this format: 1.",
        {"enum": [1, "1"]},
        values.format_version,
    ),
    Field(
        "name",
        "Names the batch, its state file and its output folder.",
        _ID,
        values.identifier,
        aliases=("title", "batch", "project"),
        default="the file's name",
    ),
    Field(
        "provider",
        "Who renders: CometAPI, Runway itself, or the free built-in stand-in.",
        {"enum": list(PROVIDERS)},
        values.one_of(*PROVIDERS),
        aliases=("api", "service", "vendor", "backend"),
        default="cometapi",
    ),
    Field(
        "runway_version",
        "Sent as the header X-Runway-Version.",
        {"type": "string", "pattern": "^20[0-9]{2}-[0-9]{2}-[0-9]{2}$"},
        values.version_date,
        aliases=("xrunwayversion", "apiversion"),
        default="2024-11-06",
    ),
    Field(
        "concurrency",
        "Paid tasks at the provider at one time. `auto` finds out how many it takes.",
        {"anyOf": [_number(1, MAX_CONCURRENCY), {"const": values.AUTO}]},
        values.or_auto(values.integer(1, MAX_CONCURRENCY)),
        aliases=("parallel", "workers", "maxconcurrency", "threads"),
        default=str(_LIMITS.concurrency),
    ),
    Field(
        "rate",
        "At most so many submits in any such time, over all runs.",
        {
            "type": "string",
            "pattern": f"^[1-9][0-9]{{0,5}} ?/ ?({'|'.join(values.RATE_UNITS)})$",
            "examples": ["30/min", "2/s", "500/h", "10000/day"],
        },
        values.rate,
        aliases=("ratelimit", "submitrate", "maxrate", "rpm", "throttle"),
        default="no limit",
    ),
    Field(
        "output",
        "Where each video goes. A folder, or a path with {name}, {id}, {model}, {ratio}, {seed} "
        "or {duration} in it, or a column of the catalog; relative to the folder in which the "
        "runner is started.",
        {"type": "string", "minLength": 1, "examples": ["outputs/{name}/{id}.mp4"]},
        output.parse,
        aliases=("out", "outputs", "outputdir", "outputpath", "folder", "destination"),
        default=output.DEFAULT,
    ),
    Field(
        "sidecar",
        "Whether a JSON file beside each video says what it came from.",
        SWITCH,
        values.boolean,
        aliases=("sidecars", "provenance"),
        default="no",
    ),
    Field(
        "poster",
        "Whether a still picture is put beside each video. `yes` is jpg.",
        {"anyOf": [SWITCH, {"enum": list(POSTERS)}]},
        _poster,
        aliases=("posters", "thumbnail", "thumbnails", "still", "preview", "cover"),
        default="no",
    ),
    Field(
        "metadata",
        "Whether title and comment are written inside each video: `yes` for its id and prompt, or "
        "texts with `{{ column }}` in them.",
        {},
        aliases=("meta", "tags", "embed"),
        default="no",
    ),
    Field(
        "budget",
        "A hard limit on what is paid for.",
        {"type": "object"},
        aliases=("limit", "limits", "cap"),
    ),
    Field(
        "confirm_above",
        "A run that would buy more asks first, or needs --yes. An amount, or {tasks, cost}.",
        {},
        aliases=("confirm", "ask", "askabove", "approve", "approval"),
        default="never asks",
    ),
    Field(
        "preflight",
        "Whether a run looks at the images of new jobs before it buys any. `strict`: it buys "
        "nothing while one would be refused; `warn`: it says so, and buys.",
        {"enum": list(PREFLIGHTS)},
        values.one_of(*PREFLIGHTS),
        aliases=("precheck", "checkimages", "online"),
        default="off",
    ),
    Field(
        "price",
        "What one task costs you. A number, or {per_second: number}, or either of them by model.",
        {},
        aliases=("cost", "prices", "pricing", "tariff"),
    ),
    Field(
        "poll_interval",
        "Least time between two questions about one task.",
        _TIME,
        values.span(0, DAY),
        aliases=("poll", "pollevery", "interval", "polling"),
        default=values.span_text(_LIMITS.poll_interval),
    ),
    Field(
        "visibility_grace",
        "How long a fresh task may be unknown to the provider.",
        _TIME,
        values.span(0, 30 * DAY),
        aliases=("grace",),
        default=values.span_text(_LIMITS.visibility_grace),
    ),
    Field(
        "task_timeout",
        "After so long a task is uncertain; its id is kept.",
        _TIME,
        values.span(1, 365 * DAY),
        aliases=("timeout", "tasklimit", "deadline"),
        default=values.span_text(_LIMITS.task_timeout),
    ),
    Field(
        "include",
        "A file, or a list of files, with `defaults` and `presets` for several manifests; relative "
        "to this one. What stands here goes before it.",
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
            ]
        },
        aliases=("includes", "import", "extends", "inherit", "base"),
    ),
    Field(
        "presets",
        "Camera moves of your own: a name and the words that it puts behind a prompt.",
        {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}},
        aliases=("cameras", "moves", "macros"),
    ),
    Field(
        "defaults",
        "Values for every job that doesn't set its own; with `{{ column }}`, filled in for each.",
        {"type": "object"},
        aliases=("default", "common", "settings", "parameters"),
    ),
    Field(
        "jobs",
        "The jobs, one by one.",
        {"type": "array"},
        aliases=("job", "tasks", "entries", "items", "images", "videos"),
    ),
    Field(
        "matrix",
        "Lists of values; every combination is one job.",
        {"type": "object"},
        aliases=("grid", "combinations", "product"),
    ),
    Field(
        "catalog",
        "A table as the source of jobs.",
        {"type": "object"},
        aliases=("csv", "table", "catalogue", "file"),
    ),
    Field(
        "notify",
        "Messages to people through Apprise, once when an outcome is new.",
        {"type": "object"},
        aliases=("notifications", "alerts", "apprise", "messages"),
    ),
    Field(
        "heartbeat",
        "An address that is pinged when a run starts (/start), ends well, or doesn't (/fail).",
        _ADDRESS,
        values.service_url,
        aliases=("healthcheck", "healthchecks", "ping", "monitor"),
    ),
    Field(
        "webhook",
        "An address to which a JSON summary is posted after each run that changed something.",
        _ADDRESS,
        values.service_url,
        aliases=("hook", "callback", "posturl"),
    ),
    Field(
        "metrics",
        "A file for Prometheus' textfile collector; {name} in it is the batch's name.",
        {"type": "string", "pattern": r"\.prom$"},
        values.metrics_file,
        aliases=("prometheus", "textfile", "prom"),
    ),
    Field(
        "on_done",
        "Programs to start when a video is home and when a run has ended.",
        {"type": "object"},
        aliases=("hooks", "ondone", "after", "then"),
    ),
)
