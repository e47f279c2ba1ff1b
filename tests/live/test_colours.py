"""The colours of the live page: readable on their ground, told apart by all readers, and red for alerts only."""

import math
import re
from importlib import resources
from itertools import combinations

import pytest

Linear = tuple[float, float, float]
THEMES = ("light", "dark")
SERIES = [f"c{n}" for n in range(8)]
SEEN_BY: dict[str, tuple[Linear, Linear, Linear]] = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no long cones": ((0.1523, 1.0526, -0.2049), (0.1145, 0.7863, 0.0992), (-0.0039, -0.0481, 1.0521)),
    "no middle cones": ((0.3673, 0.8606, -0.2280), (0.2801, 0.6725, 0.0474), (-0.0118, 0.0429, 0.9689)),
    "no short cones": ((1.2555, -0.0767, -0.1788), (-0.0784, 0.9308, 0.1476), (0.0047, 0.6914, 0.3039)),
}
"""What is left of a colour for each kind of colour blindness, after Machado, Oliveira and Fernandes (2009)."""


def colours(theme: str) -> dict[str, Linear]:
    """Return the colours that the style sheet names in a theme, as linear light."""
    css = resources.files("mlmetrics.live").joinpath("static", "live.css").read_text("utf-8")
    head = r":root \{" if theme == "light" else r':root\[data-theme="dark"\] \{'
    block = re.search(head + r"(.*?)\}", css, re.DOTALL)
    assert block
    return {name: linear(code) for name, code in re.findall(r"--([\w-]+): #([0-9a-f]{6})", block[1])}


def linear(code: str) -> Linear:
    """Return the light of a colour in sRGB."""
    red, green, blue = (int(code[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return straight(red), straight(green), straight(blue)


def straight(part: float) -> float:
    """Return the light of one part of a colour."""
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def contrast(one: Linear, other: Linear) -> float:
    """Return the contrast of two colours, as WCAG defines it."""
    dark, light = sorted(0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in (one, other))
    return (light + 0.05) / (dark + 0.05)


def seen(colour: Linear, eyes: str) -> Linear:
    """Return a colour in Oklab, as such eyes see it."""
    red, green, blue = (max(0.0, sum(a * b for a, b in zip(row, colour, strict=True))) for row in SEEN_BY[eyes])
    long = math.cbrt(0.41222 * red + 0.53633 * green + 0.05145 * blue)
    middle = math.cbrt(0.21190 * red + 0.68070 * green + 0.10740 * blue)
    short = math.cbrt(0.08830 * red + 0.28172 * green + 0.62998 * blue)
    return (
        0.21045 * long + 0.79362 * middle - 0.00407 * short,
        1.97800 * long - 2.42859 * middle + 0.45059 * short,
        0.02590 * long + 0.78277 * middle - 0.80868 * short,
    )


def distance(one: Linear, other: Linear, eyes: str) -> float:
    """Return how different two colours look, in hundredths of the way from black to white."""
    return 100 * math.dist(seen(one, eyes), seen(other, eyes))


@pytest.mark.parametrize("theme", THEMES)
def test_contrast(theme: str) -> None:
    """Lines have 3:1 on cards and beside them, and texts 4.5:1."""
    found = colours(theme)
    for ground in ("card", "bg"):
        assert not [name for name in SERIES if contrast(found[name], found[ground]) < 3]
        assert not [name for name in ("ink", "dim", "accent", "bad") if contrast(found[name], found[ground]) < 4.5]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("eyes", SEEN_BY)
def test_the_first_colours_are_told_apart(theme: str, eyes: str) -> None:
    """The five colours that most charts have differ for all eyes; further series differ by dashes too."""
    found = colours(theme)
    pairs = combinations(SERIES[:5], 2)
    assert not [(one, other) for one, other in pairs if distance(found[one], found[other], eyes) < 6]


@pytest.mark.parametrize("theme", THEMES)
def test_red_is_for_alerts(theme: str) -> None:
    """No series looks like an alert."""
    found = colours(theme)
    assert not [name for name in SERIES if distance(found[name], found["bad"], "all cones") < 14]
