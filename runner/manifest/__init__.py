"""Manifests: YAML, CSV and JSONL -> entries. Every mistake is located, all are told at once.

    load(path) -> Manifest      raises ManifestError with every finding
    schema() -> dict            the JSON Schema that editors use
    output_template(text)       what an output option stands for

One way in: `tree` (YAML to located texts) -> `document` (sections) and `catalog` (tables) ->
`entries` (rows to jobs). `fields` is the table that all of them, the schema and the drafts read.
"""

from __future__ import annotations

from runner.manifest.given import read_field
from runner.manifest.loading import Manifest, load
from runner.manifest.output import output_template
from runner.manifest.quantities import seconds
from runner.manifest.schema import schema
from runner.manifest.services import Services
from runner.manifest.settings import with_concurrency

__all__ = [
    "Manifest",
    "Services",
    "load",
    "output_template",
    "read_field",
    "schema",
    "seconds",
    "with_concurrency",
]
