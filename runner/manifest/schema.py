"""The JSON Schema of a manifest, for editors, from the same table as the parser."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from runner import models
from runner.manifest import fields
from runner.manifest.fields import Field, Schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FILE_NAME = "manifest.schema.json"


def schema() -> Schema:
    """The schema as a dict (draft 2020-12). It knows what one place of a manifest can tell.

    What hangs on several places (ids that clash, a default that one job's model refuses, the
    catalog's contents) only `load` can judge.
    """
    properties = _properties(fields.TOP.values())
    properties["budget"] |= _object(fields.BUDGET)
    amount = fields.CONFIRM["cost"].schema
    properties["confirm_above"] |= {"anyOf": [amount, _object(fields.CONFIRM)]}
    properties["price"] |= _price()
    properties["metadata"] |= {"anyOf": [fields.SWITCH, _metadata()]}
    properties["defaults"] |= {"$ref": "#/$defs/parameters"}
    properties["jobs"] |= {"items": {"$ref": "#/$defs/job"}, "minItems": 1}
    properties["matrix"] |= _matrix()
    properties["catalog"] |= _catalog()
    properties["notify"] |= _object(fields.NOTIFY)
    properties["on_done"] |= _object(fields.ON_DONE)
    return {
        "$schema": DIALECT,
        "title": "Manifest of an image-to-video batch",
        "type": "object",
        "properties": properties,
        "required": ["version"],
        "additionalProperties": False,
        "anyOf": [{"required": [source]} for source in ("jobs", "matrix", "catalog")],
        "$defs": {
            "job": _object(fields.JOB) | {"allOf": list(_model_rules())},
            "parameters": _object(fields.DEFAULTS) | {"allOf": list(_model_rules())},
        },
    }


def schema_text() -> str:
    """The schema as the text of a file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _properties(rows: Iterable[Field]) -> dict[str, Schema]:
    return {row.name: {"description": _description(row), **row.schema} for row in rows}


def _description(row: Field) -> str:
    return f"{row.doc} Default: {row.default}." if row.default else row.doc


def _object(table: Mapping[str, Field]) -> Schema:
    properties = _properties(table.values())
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _price() -> Schema:
    amount = fields.PER_SECOND["per_second"].schema
    per_second = _object(fields.PER_SECOND) | {"required": ["per_second"]}
    tariff = {"anyOf": [amount, per_second]}
    by_model = {
        "type": "object",
        "properties": dict.fromkeys(models.KNOWN, tariff),
        "additionalProperties": tariff,
        "not": {"required": ["per_second"]},
        "minProperties": 1,
    }
    return {"anyOf": [amount, per_second, by_model]}


def _metadata() -> Schema:
    return _object(fields.METADATA) | {"minProperties": 1}


def _matrix() -> Schema:
    lists = {
        axis: {"description": row.doc, "type": "array", "items": row.schema, "minItems": 1}
        for axis, row in fields.AXES.items()
    }
    return {"properties": lists, "additionalProperties": False, "minProperties": 1}


def _catalog() -> Schema:
    properties = _properties(fields.CATALOG.values())
    properties["columns"] |= {
        "properties": {
            name: {"description": f"Column of: {row.doc}", "type": ["string", "integer"]}
            for name, row in fields.JOB.items()
        },
        "additionalProperties": False,
    }
    return {"properties": properties, "required": ["file"], "additionalProperties": False}


def _model_rules() -> Iterable[dict[str, Any]]:
    """What a known model takes, where the model is named in the same place."""
    for name, model in models.KNOWN.items():
        rules = {
            "ratio": {"enum": list(model.ratios)},
            "duration": {"enum": [each for d in model.durations for each in (d, str(d))]},
            "prompt": {"maxLength": model.prompt_limit},
            "seed": {"maximum": model.seed_max},
        }
        named = {"properties": {"model": {"const": name}}, "required": ["model"]}
        yield {"if": named, "then": {"properties": rules}}
