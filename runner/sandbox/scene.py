"""The picture of a film: hills under a moving sun, and a caption that says what was asked.

Colours come from the image's address, the sun's path from the prompt and the seed.
Everything that stands still is drawn once; a frame costs one copy and a few small pastes.
"""

from __future__ import annotations

import colorsys
import hashlib
import math
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from runner.sandbox.film import FPS, FilmSpec

Colour: TypeAlias = tuple[int, int, int]
Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

PROMPT_LINES = 4
WHITE = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Path:
    """Where the sun is at a moment: a Lissajous figure, in fractions of the frame."""

    across: float
    up: float
    turns_across: int
    turns_up: int
    phase: float

    @classmethod
    def of(cls, spec: FilmSpec) -> Path:
        """Choose a path from the prompt and the seed (the task's id when there is no seed)."""
        which = spec.task_id if spec.seed is None else str(spec.seed)
        dice = _dice(spec.prompt, which)
        return cls(
            across=0.20 + dice[0] / 255 * 0.20,
            up=0.08 + dice[1] / 255 * 0.14,
            turns_across=1 + dice[2] % 2,
            turns_up=1 + dice[3] % 3,
            phase=dice[4] / 255 * math.tau,
        )

    def at(self, moment: float) -> tuple[float, float]:
        """The sun's centre at `moment` (0 = first frame, 1 = end), as fractions of the frame."""
        angle = math.tau * moment
        x = 0.5 + self.across * math.sin(self.turns_across * angle + self.phase)
        return x, 0.34 - self.up * math.cos(self.turns_up * angle + self.phase)


class Scene:
    """One film's pictures, frame by frame."""

    def __init__(self, spec: FilmSpec) -> None:
        self._spec = spec
        self._path = Path.of(spec)
        self._unit = min(spec.width, spec.height)
        size = (spec.width, spec.height)
        hue = _dice(spec.image)[0] / 255
        self._accent = _colour(hue + 0.5, 0.72, 0.85)
        sky = _gradient(size, _colour(hue, 0.78, 0.45), _colour(hue + 0.12, 0.62, 0.55))
        self._ground_mask = Image.new("L", size, 0)
        self._ground = Image.new("RGB", size)
        for layer, (light, strength) in enumerate(((0.34, 0.5), (0.24, 0.5), (0.14, 0.5))):
            outline = _hills(size, spec.image, layer)
            colour = _colour(hue + 0.04 * layer, light, strength)
            ImageDraw.Draw(self._ground).polygon(outline, fill=colour)
            ImageDraw.Draw(self._ground_mask).polygon(outline, fill=255)
        self._caption()
        self._base = sky
        self._base.paste(self._ground, mask=self._ground_mask)
        self._sun, self._sun_mask = _sun(int(self._unit * 0.42), self._accent)

    def frame(self, number: int) -> Image.Image:
        """Frame `number`, counted from 0: RGB, exactly the asked size."""
        spec, unit = self._spec, self._unit
        moment = number / spec.frames
        picture = self._base.copy()
        x, y = self._path.at(moment)
        left = round(x * spec.width - self._sun.width / 2)
        top = round(y * spec.height - self._sun.height / 2)
        box = (left, top, left + self._sun.width, top + self._sun.height)
        picture.paste(self._sun, (left, top), self._sun_mask)
        picture.paste(self._ground.crop(box), (left, top), self._ground_mask.crop(box))
        draw = ImageDraw.Draw(picture)
        thickness = max(3, unit // 120)
        done = round(spec.width * (number + 1) / spec.frames)
        draw.rectangle((0, spec.height - thickness, done, spec.height), fill=self._accent)
        clock = f"{number / FPS:.1f} / {spec.seconds:g} s"
        corner = (spec.width - unit // 24, spec.height - unit // 24)
        draw.text(corner, clock, WHITE, _font(unit // 34), anchor="rs")
        return picture

    def _caption(self) -> None:
        """Write what was asked onto the ground, where the sun can't cover it."""
        spec, unit = self._spec, self._unit
        margin, width = unit // 24, spec.width - unit // 12
        title, text, small = _font(unit // 17), _font(unit // 26), _font(unit // 34)
        seed = "no seed" if spec.seed is None else f"seed {spec.seed}"
        asked = f"{spec.model}  ·  {spec.width}:{spec.height}  ·  {spec.seconds:g} s  ·  {seed}"
        name = unquote(urlsplit(spec.image).path.rpartition("/")[2]) or "image"
        lines = [
            *((line, title, WHITE) for line in _wrap(name, title, width, 1)),
            *((line, text, WHITE) for line in _wrap(spec.prompt, text, width, PROMPT_LINES)),
            *((line, small, self._accent) for line in _wrap(asked, small, width, 2)),
            (spec.task_id, small, self._accent),
        ]
        draw, show = ImageDraw.Draw(self._ground), ImageDraw.Draw(self._ground_mask)
        y = spec.height - unit // 10
        for line, font, colour in reversed(lines):
            draw.text((margin, y), line, colour, font, anchor="ls")
            show.text((margin, y), line, 255, font, anchor="ls")  # also above the hills
            y -= round(float(getattr(font, "size", unit // 30)) * 1.45)


def _dice(*what: object) -> bytes:
    """Thirty-two bytes that depend on `what` alone."""
    return hashlib.sha256(repr(what).encode()).digest()


def _font(size: int) -> Font:
    """The typeface that comes inside Pillow: the same letters on every machine."""
    return ImageFont.load_default(max(9, size))


def _colour(hue: float, lightness: float, saturation: float) -> Colour:
    red, green, blue = colorsys.hls_to_rgb(hue % 1, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def _gradient(size: tuple[int, int], top: Colour, bottom: Colour) -> Image.Image:
    mask = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), mask)


def _hills(size: tuple[int, int], image: str, layer: int) -> list[tuple[float, float]]:
    """The outline of one range of hills, nearer (and lower) with each layer."""
    width, height = size
    dice = _dice(image, layer)
    line = height * (0.50, 0.58, 0.66)[layer]
    waves = [(1 + i + dice[i] / 255, dice[8 + i] / 255 * math.tau, 0.035 / (i + 1)) for i in (0, 1)]
    outline = [
        (x, line - sum(height * a * math.sin(f * math.tau * x / width + p) for f, p, a in waves))
        for x in range(0, width + 8, 8)
    ]
    return [*outline, (width + 8, height), (0, height)]


def _sun(size: int, colour: Colour) -> tuple[Image.Image, Image.Image]:
    """A disc with a glow: its colour, and how much of it shows."""
    mask = Image.new("L", (size, size), 0)
    draw = ImageDraw.Draw(mask)
    centre = size / 2
    draw.ellipse((size * 0.2, size * 0.2, size * 0.8, size * 0.8), fill=90)
    mask = mask.filter(ImageFilter.GaussianBlur(size * 0.06))
    disc = size * 0.19
    draw = ImageDraw.Draw(mask)
    draw.ellipse((centre - disc, centre - disc, centre + disc, centre + disc), fill=255)
    return Image.new("RGB", (size, size), colour), mask.filter(ImageFilter.GaussianBlur(1))


def _wrap(text: str, font: Font, width: int, most: int) -> list[str]:
    """Break `text` into at most `most` lines of `width` pixels; what is left out becomes "…"."""
    lines: list[str] = []
    line = ""
    for word in "".join(c if c.isprintable() else " " for c in text).split():
        joined = f"{line} {word}".strip()
        if font.getlength(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        line = word
        while font.getlength(line) > width:
            cut = next(n for n in range(len(line), 0, -1) if font.getlength(line[:n]) <= width)
            lines.append(line[:cut])
            line = line[cut:]
    if line:
        lines.append(line)
    if len(lines) > most:
        last = lines[most - 1]
        while last and font.getlength(f"{last}…") > width:
            last = last[:-1]
        lines = [*lines[: most - 1], f"{last}…"]
    return lines
