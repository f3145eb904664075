"""The fields of the sections: budget, catalog, notify and their like."""

from __future__ import annotations

from runner.manifest import values
from runner.manifest.fields.field import AMOUNT, DAY, TIME, Field, Schema, number, table

BUDGET = table(
    Field(
        "tasks",
        "At most so many paid submissions, over all runs.",
        number(0, 10**9),
        values.integer(0, 10**9),
        aliases=("jobs", "count", "submissions", "max"),
    ),
    Field(
        "cost",
        "At most so much money, over all runs, in the unit of `price`; needs `price`.",
        AMOUNT,
        values.amount,
        aliases=("money", "amount", "usd", "dollars", "total"),
    ),
    Field(
        "tasks_per_day",
        "At most so many paid submissions in a day of UTC, over all runs.",
        number(0, 10**9),
        values.integer(0, 10**9),
        aliases=("daily", "dailytasks", "perday"),
    ),
    Field(
        "cost_per_day",
        "At most so much money in a day of UTC, over all runs; needs `price`.",
        AMOUNT,
        values.amount,
        aliases=("dailycost", "dailymoney"),
    ),
    Field(
        "tasks_per_run",
        "At most so many paid submissions in one run.",
        number(0, 10**9),
        values.integer(0, 10**9),
        aliases=("maxtasks", "perrun"),
    ),
    Field(
        "cost_per_run",
        "At most so much money in one run; needs `price`.",
        AMOUNT,
        values.amount,
        aliases=("maxcost",),
    ),
)
CONFIRM = table(
    Field("tasks", "Ask above so many tasks.", number(0, 10**9), values.integer(0, 10**9)),
    Field("cost", "Ask above so much money; needs `price`.", AMOUNT, values.amount),
)
CATALOG = table(
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
_COMMAND: Schema = {"type": "array", "items": {"type": ["string", "number"]}, "minItems": 1}
NOTIFY = table(
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
ON_DONE = table(
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
        TIME,
        values.span(0.001, DAY),
        aliases=("limit", "patience"),
        default="60s",
    ),
)
_TEXT: Schema = {"type": ["string", "number"], "minLength": 1}
METADATA = table(
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
PER_SECOND = table(
    Field("per_second", "What one second of video costs.", AMOUNT, values.amount),
)
