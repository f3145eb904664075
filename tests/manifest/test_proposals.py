"""Which column fills which field: the values decide, then the name, in many languages."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from runner.manifest.proposals import bare, proposed, unreadable, without_images

CDN = "https://cdn.example.com/"


def rows(names: Sequence[str], *records: Sequence[str]) -> list[dict[str, str]]:
    """Records as the rows of a table."""
    return [dict(zip(names, record, strict=True)) for record in records]


def chosen(header: str, *records: Sequence[str]) -> dict[str, str]:
    """Field -> column for a header with bars and its records."""
    names = header.split("|")
    return dict(proposed(names, rows(names, *records), "cometapi").columns)


@pytest.mark.parametrize(
    "header",
    [
        "sku|image|prompt",
        "SKU|Image URL|Description",
        "Artikelnummer|Bild-URL|Beschreibung",
        "Référence|Lien image|Description",
        "Código|Imagen|Descripción",
        "Codice|Immagine|Descrizione",
        "Código|Imagem|Descrição",
        "Artikelnummer|Afbeelding|Omschrijving",
        "Kod produktu|Zdjęcie|Opis",
        "商品コード|画像URL|説明",
        "货号|主图|描述",
        "Variant SKU|Image Src|Body (HTML)",
        "id|image_link|description",
        "Handle|Featured image|Short description",
    ],
)
def test_names_in_many_languages(header: str) -> None:
    """Columns for id, image and prompt are found by the names that people and shops give them."""
    found = chosen(header, ("a-1", f"{CDN}a", "sways"), ("a-2", f"{CDN}b", "turns"))
    assert list(found.values()) == header.split("|")
    assert list(found) == ["id", "image", "prompt"]


def test_a_name_in_another_script_is_not_any_name() -> None:
    """A column whose name has no Latin letter fills a field only when it is known."""
    assert chosen("色|写真", ("red", f"{CDN}a.jpg")) == {"image": "写真"}
    assert chosen("#|写真", ("1", f"{CDN}a.jpg")) == {"image": "写真"}
    assert (bare("Größe (cm)"), bare("BILD_url"), bare("商品 名")) == (
        "grossecm",
        "bildurl",
        "商品名",
    )


def test_values_decide_over_names() -> None:
    """A page's address is not an image's when another column has pictures."""
    shop = "https://shop.example.com/lamp"
    names = ["image", "link", "Spalte 7"]
    found = proposed(names, rows(names, ("front.jpg", shop, f"{CDN}a.jpg?v=1")), "cometapi")
    assert found.columns == {"image": "Spalte 7"}
    assert found.notes[0] == "`image` is `Spalte 7`; addresses are in `link`, too"


def test_the_main_image_goes_before_the_others() -> None:
    """Thumbnails, additional pictures and one logo for all come last."""
    header = "brand image|thumbnail_url|additional image|image1|image2|main_image"
    pictures = ["thumb.jpg", "more.jpg", "1.jpg", "2.jpg", "main.jpg"]
    records = [(f"{CDN}logo.png", *(f"{CDN}{n}/{file}" for file in pictures)) for n in range(2)]
    assert chosen(header, *records) == {"image": "main_image"}
    without_main = [record[:-1] for record in records]
    assert chosen(header.rpartition("|")[0], *without_main) == {"image": "image1"}
    assert chosen("thumb|big", (f"{CDN}s.jpg", f"{CDN}b.jpg")) == {"image": "big"}
    brand = [(f"{CDN}logo.png", f"{CDN}{n}.png") for n in range(2)]
    assert chosen("image|big", *brand) == {"image": "big"}


def test_a_column_with_gaps_is_not_preferred() -> None:
    """A full column goes before a better name with gaps; blank rows are not gaps."""
    records = [("", f"{CDN}a.jpg"), (f"{CDN}b.jpg", f"{CDN}c.jpg"), *[(" ", "")] * 3]
    assert chosen("image|photo 2", *records) == {"image": "photo 2"}


def test_one_bad_row_doesnt_hide_the_column() -> None:
    """A column that is mostly right is taken, so that its bad rows are told with their lines."""
    good = [(f"{CDN}{n}.jpg",) for n in range(3)]
    assert chosen("image", *good, ("http://cdn.example.com/x.jpg",)) == {"image": "image"}
    assert chosen("image", *good, *[("none",)] * 3) == {}


def test_ids_that_repeat_are_not_ids() -> None:
    """The rows of one product's images share a handle; then ids are made, and that is told."""
    names = ["Handle", "Image Src"]
    table = rows(names, ("lamp", f"{CDN}a.jpg"), ("lamp", f"{CDN}b.jpg"))
    found = proposed(names, table, "cometapi")
    assert found.columns == {"image": "Image Src"}
    assert found.notes == ("no column names each row once: ids are made from the images",)


@pytest.mark.parametrize(
    ("names", "message", "hint"),
    [
        (["a|b"], "separated by bars", "with commas"),
        (["a\tb"], "separated by tabs", ".tsv"),
        (["a;b"], "separated by semicolons", "with commas"),
        (["lamp", f"{CDN}a.jpg"], "first line has an address", "names above it"),
        (["a", "b", "a", "a"], "more than one column `a`", "its own name"),
    ],
)
def test_headers_that_cant_be_read(names: list[str], message: str, hint: str) -> None:
    """What keeps a table from being read is told before any column is looked for."""
    problem = unreadable(names)
    assert problem is not None
    assert message in problem[0]
    assert hint in problem[1]
    assert unreadable(["a", "b", "", ""]) is None


@pytest.mark.parametrize(
    ("cell", "message", "hint"),
    [
        ("lamp.jpg", "no column holds https addresses of images", "the columns are `sku`, `pic`"),
        ("http://a.example.com/a.jpg", "is not https", "did you mean https://"),
        (f"{CDN}a b.jpg", "has a space in it", "percent-encode"),
        (f"{CDN}a.jpg, {CDN}b.jpg", "several in one cell", "a column of its own"),
    ],
)
def test_why_there_is_no_image(cell: str, message: str, hint: str) -> None:
    """The column that comes nearest is named, with what is wrong with it."""
    names = ["sku", "pic"]
    table = rows(names, ("a", cell))
    assert "image" not in proposed(names, table, "cometapi").columns
    told = without_images(names, table)
    assert message in told[0]
    assert hint in told[1]
    assert without_images([], []) == (
        "no column holds https addresses of images",
        "the table is empty",
    )


def test_gaps_are_counted() -> None:
    """A column of images that is empty in most rows is named with the number of gaps."""
    table = rows(["pic"], (f"{CDN}a.jpg",)) + [{"pic": "", "sku": "x"}] * 3
    message, _ = without_images(["sku", "pic"], table)
    assert message.endswith("`pic` is empty in 3 of the first 4 rows")
