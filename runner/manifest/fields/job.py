"""The fields of one job: what is asked of the provider."""

from __future__ import annotations

from runner import models
from runner.manifest import addresses, presets, values
from runner.manifest.fields.field import ID, SWITCH, Field, number, table

JOB = table(
    Field(
        "id",
        "Name of the job and of its video. Left out, a stable one is made from the image.",
        ID | {"examples": ["lamp-01"]},
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
        number(1, 3600) | {"examples": [5, 10]},
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
