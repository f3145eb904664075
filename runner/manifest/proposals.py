"""Which column of somebody's table fills which field: judged from its values, then its name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner import models
from runner.manifest import addresses, fields, presets, values
from runner.manifest.values import shown

Rows = Sequence[Mapping[str, str]]

# How shops and people name these columns, best first: English, the exports of Google Merchant,
# Shopify and WooCommerce, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Japanese,
# Chinese. Names that fields.py knows come before these.
_WORDS = {
    "id": "variant sku;product id;item id;artikelnummer;artikelnr;référence;référence produit;"
    "referencia;codice;codice articolo;código;artikelnummer;kod;kod produktu;numer;"
    "商品コード;商品番号;品番;货号;商品编号;编号;nom;nombre;nome;naam;nazwa;titel;title;bezeichnung;商品名;名称",
    "image": "main image;main image url;primary image;image link;image url;image src;image1;"
    "featured image;product image;hauptbild;bild;bild url;bildadresse;image principale;lien image;"
    "imagen principal;imagen;url imagen;foto;immagine;url immagine;imagem;url imagem;afbeelding;"
    "afbeelding url;obraz;zdjęcie;obrazek;画像;画像url;メイン画像;商品画像;图片;主图;图片链接;"
    "圖片;url;link",
    "prompt": "short description;body html;beschreibung;kurzbeschreibung;descripción;"
    "descrizione;descrição;omschrijving;beschrijving;opis;説明;商品説明;プロンプト;描述;说明;提示词",
}
_ASIDE = ("additional", "thumb", "logo", "swatch", "gallery", "weitere", "secondary", "variant")
_GENERIC = frozenset({"url", "uri", "link", "src"})
_PICTURE = re.compile(r"\.(jpe?g|png|webp|avif|gif|tiff?)$", re.IGNORECASE)
_SEVERAL = re.compile(r"[\s,;|]+https?://", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][a-z0-9]*(\s[^<>]*)?/?>", re.IGNORECASE)
_MAX_LISTED = 12


@dataclass(frozen=True, slots=True)
class Proposal:
    """Field -> column, and what to tell about the choice."""

    columns: Mapping[str, str]
    notes: tuple[str, ...] = ()


def bare(name: str) -> str:
    """A column's name without case, accents and punctuation, in any script."""
    letters = unicodedata.normalize("NFKD", name[:80].casefold())
    kept = "".join(c for c in letters if c.isalnum())
    return unicodedata.normalize("NFC", kept)


def proposed(names: Sequence[str], rows: Rows, provider: str) -> Proposal:
    """Field -> column by what stands in the columns, and among those that would do by their names.

    A column is proposed only when every value seen in it can be used. For `image`, one whose
    addresses look like pictures goes before one with a better name.
    """
    rows = [row for row in rows if any(text.strip() for text in row.values())]
    images = _images(names, rows, provider)
    chosen = {"image": images[0]} if images else {}
    for field in fields.JOB:
        for name in _named(field, names) if field != "image" else ():
            free = field not in chosen and name not in chosen.values()
            if free and usable(field, name, rows, provider):
                chosen[field] = name
    ordered = {field: chosen[field] for field in fields.JOB if field in chosen}
    return Proposal(ordered, _notes(ordered, images))


def _notes(chosen: Mapping[str, str], images: Sequence[str]) -> tuple[str, ...]:
    told = []
    if len(images) > 1:
        told.append(f"`image` is {shown(images[0])}; addresses are in {_listed(images[1:])}, too")
    if chosen and "id" not in chosen:
        told.append("no column names each row once: ids are made from the images")
    return tuple(told)


def _images(names: Sequence[str], rows: Rows, provider: str) -> list[str]:
    """The columns full of addresses of images, the best first.

    Where none is full, the one with the most of them, if it is most of its rows: what is wrong
    with the others is then told with their lines.
    """
    found = [name for name in names if usable("image", name, rows, provider)]
    if not found:
        held = {name: sum(_is_address(row.get(name, "")) for row in rows) for name in names}
        found = [name for name in names if held[name] == max(held.values()) > len(rows) / 2][:1]
    ranked = _named("image", names)

    def worth(name: str) -> tuple[float, bool, bool, int, int]:
        texts = [row.get(name, "").strip() for row in rows]
        pictures = sum(1 for text in texts if _is_picture(text)) / len(texts)
        word = bare(name)
        repeated = len(texts) > 1 and len(set(texts)) == 1
        aside = any(each in word for each in _ASIDE)
        rank = ranked.index(name) if name in ranked else len(names)
        return (-pictures, repeated, aside, rank, names.index(name))

    return sorted(found, key=worth)


def _is_picture(text: str) -> bool:
    return _PICTURE.search(re.sub(r"[?#].*", "", text, flags=re.DOTALL)) is not None


def _is_address(text: str) -> bool:
    try:
        return bool(addresses.image(text.strip()))
    except values.InvalidError:
        return False


def _named(field: str, names: Sequence[str]) -> list[str]:
    """The columns whose names stand for a field, in the order of its words."""
    row = fields.JOB[field]
    words = [bare(word) for word in (row.name, row.wire, *row.aliases) if word]
    words = [word for word in words if word not in _GENERIC]
    words += [bare(word) for word in _WORDS.get(field, "").split(";") if word]
    words += sorted(_GENERIC) if field == "image" else []
    order = {word: place for place, word in reversed(list(enumerate(words)))}
    return sorted((name for name in names if bare(name) in order), key=lambda n: order[bare(n)])


def usable(field: str, name: str, rows: Rows, provider: str) -> bool:
    """Whether a column's values, as far as seen, would all do for a field."""
    texts = [text for row in rows if (text := row.get(name, "").strip())]
    rules = models.KNOWN[models.DEFAULT_MODEL[provider]]
    parse = fields.JOB[field].parse
    assert parse is not None
    try:
        found = [parse(text) for text in texts]
    except values.InvalidError:
        return False
    refused = (problem.field for value in found for problem in rules.problems({field: value}))
    return (
        bool(found)
        and field not in refused
        and (field != "image" or len(found) == len(rows))
        and (field != "id" or len(set(found)) == len(found))
        and (field != "prompt" or not any(_TAG.search(text) for text in texts))
        and (field != "model" or models.KNOWN.keys() >= set(found))
        and (field != "camera" or presets.CAMERA.keys() >= set(found))
    )


def unreadable(names: Sequence[str]) -> tuple[str, str] | None:
    """What is wrong with a header, and what to do; None for a good one."""
    address = next((name for name in names if re.match(r"https?://", name, re.IGNORECASE)), "")
    if address:
        return "the first line has an address, not the names of the columns", (
            "put a line of names above it, like sku,image,prompt"
        )
    if len(names) == 1 and (mark := next((mark for mark in "\t|,;" if mark in names[0]), "")):
        what = {"\t": "tabs", "|": "bars", ",": "commas", ";": "semicolons"}[mark]
        tabs = "name the file .tsv" if mark == "\t" else "save it with commas, as .csv"
        return f"its columns are separated by {what}", tabs
    twice = dict.fromkeys(name for at, name in enumerate(names) if name and name in names[:at])
    if twice:
        return f"there is more than one column {_listed(list(twice))}", "give each its own name"
    return None


def without_images(names: Sequence[str], rows: Rows) -> tuple[str, str]:
    """Why no column will do for `image`, by the one that comes nearest, and what to do."""
    rows = [row for row in rows if any(text.strip() for text in row.values())]
    hint = f"the columns are {_listed(names)}" if any(names) else "the table is empty"
    message = "no column holds https addresses of images"
    held = {name: [row.get(name, "").strip() for row in rows] for name in names}
    near = max(names, key=lambda name: sum("://" in text for text in held[name]), default="")
    texts = [text for text in held.get(near, ()) if text]
    if not any("://" in text for text in texts):
        return message, hint
    column = shown(near, 40)
    if any(_SEVERAL.search(text) for text in texts):
        hint = "put the one to animate into a column of its own; one job has one image"
        return f"{message}: {column} has several in one cell", hint
    for text in texts:
        try:
            addresses.image(text)
        except values.InvalidError as problem:
            return f"{message}: in {column}, {problem.message}", problem.hint
    empty = len(rows) - len(texts)
    return f"{message}: {column} is empty in {empty} of the first {len(rows)} rows", (
        "fill them in, or remove the rows"
    )


def _listed(names: Sequence[str]) -> str:
    more = ", …" if len(names) > _MAX_LISTED else ""
    return ", ".join(shown(name, 30) for name in names[:_MAX_LISTED] if name) + more
