"""The fields at the top of a manifest: what holds for all of its jobs."""

from __future__ import annotations

from runner.jobs import Limits
from runner.manifest import output, values
from runner.manifest.fields.field import DAY, ID, SWITCH, TIME, Field, Schema, number, table

PROVIDERS = ("cometapi", "runway", "sandbox")
POSTERS = ("jpg", "webp")
PREFLIGHTS = ("strict", "warn", "off")
MAX_CONCURRENCY = 10_000
_LIMITS = Limits()
_ADDRESS: Schema = {"type": "string", "pattern": "^(https?://|env:[A-Za-z_])"}


def _poster(text: str) -> str:
    """The kind of picture that is wanted, "" for none."""
    if text.lower() in POSTERS:
        return text.lower()
    try:
        return POSTERS[0] if values.boolean(text) else ""
    except values.InvalidError:
        message = f"{values.shown(text)} is not known; one of yes, no, {', '.join(POSTERS)}"
        raise values.InvalidError(message) from None


TOP = table(
    Field(
        "version",
        "The version of this format: 1.",
        {"enum": [1, "1"]},
        values.format_version,
    ),
    Field(
        "name",
        "Names the batch, its state file and its output folder.",
        ID,
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
        {"anyOf": [number(1, MAX_CONCURRENCY), {"const": values.AUTO}]},
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
        TIME,
        values.span(0, DAY),
        aliases=("poll", "pollevery", "interval", "polling"),
        default=values.span_text(_LIMITS.poll_interval),
    ),
    Field(
        "visibility_grace",
        "How long a fresh task may be unknown to the provider.",
        TIME,
        values.span(0, 30 * DAY),
        aliases=("grace",),
        default=values.span_text(_LIMITS.visibility_grace),
    ),
    Field(
        "task_timeout",
        "After so long a task is uncertain; its id is kept.",
        TIME,
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
