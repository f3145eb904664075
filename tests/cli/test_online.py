"""`check --online` and `preflight`: bad images are found before anything is bought."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable

from desk import KEY, Desk

Provided = Callable[..., Desk]

QUICK = ("--render", "200ms..300ms", "--queue", "50ms..50ms")
CATALOG = "version: 1\nprovider: sandbox\npoll_interval: 200ms\ncatalog: {file: products.csv}\n"
PLANTED = {7: "bad-missing.jpg", 70: "bad-page.jpg", 170: "bad-tall.jpg"}


def products(desk: Desk, number: int, planted: dict[int, str], head: str = CATALOG) -> None:
    """A catalog of so many products, with these images at these lines."""
    rows = ["id,image,prompt"]
    for line in range(2, number + 2):
        name = planted.get(line, "front.jpg")
        rows.append(f"sku-{line:03},https://cdn.example.com/{line:03}/{name},it turns")
    desk.write("products.csv", "\n".join(rows) + "\n")
    desk.write("batch.yaml", head)


def test_three_bad_images_among_two_hundred(provided: Provided) -> None:
    """They are named with line, reason and advice; the next look asks only for them."""
    desk = provided(*QUICK)
    products(desk, 200, PLANTED)
    shown = desk.run("check", "batch.yaml", "--online", code=2).stdout.splitlines()
    at = "https://cdn.example.com"
    assert shown[1:] == [
        "200 images: 197 fine, 3 not",
        "key: not checked, the stand-in needs none",
        f"products.csv:7: sku-007: {at}/007/bad-missing.jpg answers 404; "
        "correct the address, or upload the image",
        f"products.csv:70: sku-070: {at}/070/bad-page.jpg is a web page, not an image; "
        "give the address of the image itself",
        f"products.csv:170: sku-170: {at}/170/bad-tall.jpg is 400 x 1000: "
        "width / height is 0.4, gen3a_turbo takes at least 0.5; crop it, or pad it",
    ]
    assert desk.audit()["requests"]["picture"] == 2 * 200 - 1
    again = desk.run("check", "batch.yaml", "--online", "--json", code=2)
    found = json.loads(again.stdout)["online"]
    assert (found["fine"], found["known"]) == (197, 197)
    assert [each["first"][0]["line"] for each in found["offenders"]] == [7, 70, 170]
    assert desk.audit()["requests"]["picture"] == 2 * 200 - 1 + 5
    assert desk.audit()["film_requests_with_key"] == 0
    assert desk.audit()["charged"] == 0
    products(desk, 200, {})
    desk.run("check", "batch.yaml", "--online")


def test_a_rehearsal_and_a_key(provided: Provided) -> None:
    """A rehearsal asks the stand-in alone; a key that is refused is told apart from the images."""
    desk = provided("--key", "sk-another-key")
    local = CATALOG.replace("sandbox", "cometapi")
    products(desk, 2, {3: "bad-moved.jpg"}, local)
    shown = desk.run("check", "batch.yaml", "--online", "--sandbox", code=2).stdout
    assert "2 images: 1 fine, 1 not" in shown
    assert "picture" not in desk.audit()["requests"]
    desk.write("products.csv", "id,image\nlamp,https://intranet/a.jpg\n")  # nobody is asked for it
    shown = desk.run("check", "batch.yaml", "--online", code=5).stdout
    assert "is on intranet, which is no public domain name" in shown
    assert "key: refused" in shown
    assert KEY not in shown
    del desk.environment["COMETAPI_KEY"]
    shown = desk.run("check", "batch.yaml", "--online", code=2).stdout
    assert "key: not checked" in shown
    assert "goes with --online" in desk.run("check", "batch.yaml", "--sandbox", code=2).stderr


def test_a_strict_preflight(provided: Provided) -> None:
    """Nothing new is bought, what runs comes home, a person is asked; once mended, it goes on."""
    desk = provided(*QUICK)
    strict = f"{CATALOG}preflight: strict\n"
    products(desk, 2, {}, strict)
    desk.run("tick", "batch.yaml", code=3)
    assert desk.audit()["charged"] == 2
    products(desk, 4, {4: "bad-gif.jpg"}, strict)
    assert "products.csv:4: sku-004" in desk.run("tick", "batch.yaml", "-qq", code=4).stdout
    assert desk.run("tick", "batch.yaml", "-qq", code=4).stdout == ""
    held = desk.run("run", "batch.yaml", code=4)
    assert "products.csv:4: sku-004" in held.stderr
    assert "preflight lets nothing new be bought" in held.stdout
    assert desk.status()["counts"]["done"] == 2
    assert desk.audit()["charged"] == 2
    desk.run("run", "batch.yaml", "--only", "sku-005", code=3)
    assert desk.audit()["charged"] == 3
    products(desk, 4, {}, strict)
    desk.run("run", "batch.yaml")
    assert desk.audit()["charged"] == 4


def test_a_preflight_without_a_network(desk: Desk) -> None:
    """It is no image's fault: said once, nothing is bought, and it is left to the next run."""
    products(desk, 30, {}, f"{CATALOG}preflight: strict\n")
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        nowhere = f"http://127.0.0.1:{closed_soon.getsockname()[1]}"
    told = desk.run("run", "batch.yaml", "--base-url", nowhere, code=3)
    assert told.stderr.count("could not be reached") == 2  # the summary, and one host
    assert "is this machine online" in told.stderr
    assert "preflight could look at no image" in told.stdout
    assert desk.status()["counts"]["planned"] == 30


def test_a_preflight_that_warns(provided: Provided) -> None:
    """The offenders are told, and all is bought; an interrupt while it looks ends it at once."""
    desk = provided(*QUICK)
    products(desk, 2, {2: "bad-empty.jpg"}, f"{CATALOG}preflight: warn\n")
    told = desk.run("run", "batch.yaml")
    assert "warning: products.csv:2: sku-002" in told.stderr
    assert desk.audit()["charged"] == 2
    products(desk, 3, {4: "bad-slow.jpg"}, f"{CATALOG}preflight: strict\n")
    process = desk.start("run", "batch.yaml")
    assert process.stderr is not None
    assert "looking at 1 image" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err.strip()) == (130, "aborted")
    assert desk.audit()["charged"] == 2
