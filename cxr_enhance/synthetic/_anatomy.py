"""The organs of a frontal chest, drawn one by one as density: bone bright, air dark.

Coordinates of the body: `x` from -1 (image left, the patient's right) to 1, `y` from 0 (top) to 1.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance.synthetic._drawing import bar, curve, ellipse, step

if TYPE_CHECKING:
    from cxr_enhance.synthetic._drawing import Map, RandomBits

_RIBS = 10
_SIDES = (-1.0, 1.0)  # the patient's right, left


class Chest:
    """A drawn chest, with what is needed to add to it.

    Parameters
    ----------
    density : ndarray of shape (H, W), dtype float32
        About 0 (air) to 1 (bone).
    air : ndarray of shape (H, W), dtype float32
        Share of the ray's way that lies in aerated lung.
    x, y : ndarray of shape (H, W), dtype float32
        Coordinates of the body.
    """

    def __init__(self, density: Map, air: Map, x: Map, y: Map) -> None:
        self.density, self._air, self._x, self._y = density, air, x, y

    def cloud(self, opacity: float, pattern: str, random: RandomBits) -> None:
        """Make the lungs denser, in place."""
        self.density += opacity * self._air * _clouding(self._x, self._y, random, pattern)


def draw_chest(height: int, width: int, random: RandomBits) -> Chest:
    """Draw the organs one after another; the order is also that of the random numbers."""
    x, y = _body_coordinates(height, width, random)
    body = _body(x, y)
    lungs, abdomen = _lungs(x, y, random)
    heart = _heart(x, y, random.uniform(0.9, 1.12))

    density = 0.44 * body + 0.17 * abdomen * body
    density += 0.16 * heart * (1 - 0.75 * abdomen) - _windpipe(x, y)
    air = lungs * (1 - 0.88 * heart)
    density -= air * (0.34 + 0.02 * random.texture(height, width, 9))
    density += air * _vessels(x, y, random)
    bones = _ribs(x, y, random) * (0.35 + 0.65 * air) + _shoulders(x, y) + _spine(x, y)
    density += bones * step(0.0, 0.6, body)
    density -= _stomach_bubble(x, y, random) * abdomen
    density += 0.012 * random.texture(height, width, 31) * step(0.0, 0.3, body)
    density = (0.05 + random.uniform(0.94, 1.06) * density).astype(np.float32)
    return Chest(density, air, x, y)


def _body_coordinates(height: int, width: int, random: RandomBits) -> tuple[Map, Map]:
    columns = (np.arange(width, dtype=np.float32) * 2 + 1) * np.float32(1 / width) - 1
    rows = (np.arange(height, dtype=np.float32) * 2 + 1) * np.float32(0.5 / height)
    tilt = random.uniform(-0.04, 0.04)
    x = (columns[None, :] - random.uniform(-0.03, 0.03)) * (1 / random.uniform(0.95, 1.05))
    y = (rows[:, None] - random.uniform(-0.01, 0.02)) * (1 / random.uniform(0.97, 1.04))
    return x + tilt * (y - 0.5), y - 0.5 * tilt * x


def _body(x: Map, y: Map) -> Map:
    """Neck, shoulders and torso: thickness of soft tissue, thinning towards the skin."""
    side = np.abs(x)
    half = 0.93 - 0.05 * step(0.25, 0.55, y) + 0.03 * step(0.6, 1.0, y)
    torso: Map = np.sqrt(np.sqrt(np.clip(1 - np.square(np.square(side / half)), 0, 1)))
    shoulder = 0.02 + 0.2 * np.clip(side - 0.28, 0, 1) + 0.16 * np.clip(side - 0.7, 0, 1)
    torso *= 0.5 * step(-0.01, 0.02, y - shoulder) + 0.5 * step(0.0, 0.16, y - shoulder)
    neck = np.sqrt(np.clip(1 - (side * (1 / 0.3)) ** 2, 0, 1)) * step(0.25, 0.08, y)
    return np.maximum(torso, 0.95 * neck)


def _chest_wall(y: Map) -> Map:
    """Half width of the rib cage at height `y`."""
    rise = np.clip((0.72 - y) * (1 / 0.66), 0, 1)
    return 0.2 + 0.54 * np.sqrt(1 - rise * rise)


def _lungs(x: Map, y: Map, random: RandomBits) -> tuple[Map, Map]:
    """Return how much air lies in the ray's way, and the mask of what is below the diaphragm."""
    side = np.abs(x)
    base = random.uniform(0.7, 0.76) + 0.03 * step(-0.1, 0.1, x)
    dome = (
        base + 0.62 * np.clip(side - 0.33, -0.25, 0.42) ** 2 + 0.5 * np.clip(side - 0.6, 0, 1) ** 2
    )
    below = step(-0.003, 0.007, y - dome)
    inner = 0.07 + 0.05 * step(0.35, 0.12, y)
    outer = _chest_wall(y) - 0.02
    span = np.maximum(outer - inner, 1e-3)
    chord = np.clip((side - inner) * (outer - side) * 4 / (span * span), 0, 1)
    apex = 0.075 + 1.6 * (side - 0.24) ** 2
    depth = step(-0.004, 0.02, y - apex) * (0.65 + 0.35 * step(0.08, 0.35, y))
    air = np.sqrt(np.sqrt(chord)) * depth * (1 - below)
    return air, below * (0.35 + 0.65 * step(0.95, 0.6, side))


def _heart(x: Map, y: Map, size: float) -> Map:
    """Mask of heart and great vessels between two borders, soft where the surface turns away."""
    # (height, border): windpipe, aortic arch, root of the lung, atrium or ventricle, diaphragm
    upper_left = ((0.0, 0.1), (0.2, 0.11), (0.28, 0.16), (0.35, 0.135), (0.43, 0.19))
    left = (*upper_left, (0.56, 0.34 * size), (0.72, 0.5 * size), (0.82, 0.44 * size))
    right = ((0.0, 0.1), (0.2, 0.1), (0.32, 0.125), (0.42, 0.13), (0.6, 0.23 * size), (0.8, 0.16))
    inside = step(-0.012, 0.03, curve(left, y) - x) * step(-0.012, 0.03, x + curve(right, y))
    return inside * (0.55 + 0.45 * step(0.1, 0.55, y)) * step(0.02, 0.2, y)


def _windpipe(x: Map, y: Map) -> Map:
    """Air of the windpipe and of its two branches."""
    middle = x + 0.01
    pipe = step(0.045, 0.022, np.abs(middle)) * step(0.38, 0.33, y) * step(0.0, 0.1, y)
    fork = np.abs(y - 0.35 - 0.5 * np.abs(middle))
    branch = step(0.022, 0.006, fork) * step(0.18, 0.05, np.abs(middle)) * step(0.33, 0.37, y)
    return np.maximum(0.085 * pipe, 0.05 * branch)


def _spine(x: Map, y: Map) -> Map:
    """Vertebral bodies with gaps between them, seen through what lies before."""
    cycle = y * 16
    phase = np.abs(cycle - np.floor(cycle) - 0.5)  # 0.5 in the gap
    body = step(0.5, 0.38, phase)
    waist = 0.078 - 0.01 * np.clip(1 - 2 * phase, 0, 1)
    column = step(0.02, -0.01, np.abs(x) - waist) * (0.5 + 0.5 * body)
    arches = ellipse(np.abs(x), phase, 0.048, 0.1, 0.016, 0.22)
    return (0.07 * column + 0.04 * arches) * (1 - 0.4 * step(0.45, 0.8, y))


def _ribs(x: Map, y: Map, random: RandomBits) -> Map:
    """Ten pairs: behind from the spine outwards, in front back towards the breastbone, fainter."""
    bones = np.zeros_like(x)
    first, pitch = random.uniform(0.075, 0.095), random.uniform(0.066, 0.074)
    for side, index in itertools.product(_SIDES, range(_RIBS)):
        start = first + pitch * index + random.uniform(-0.004, 0.004)
        drop = 0.07 + 0.011 * index
        rise = min(1.0, max(0.0, (0.72 - start - drop) / 0.66))
        reach = 0.2 + 0.545 * math.sqrt(1 - rise * rise)
        front_drop = 0.12 + 0.01 * index
        window = _window(x, y, start - 0.06, start + drop + front_drop + 0.06, side)
        u, v, sheet = side * x[window], y[window], bones[window]
        bend = np.clip(u * (1 / reach), 0, 1)
        fall = np.sqrt(1 - bend * bend)
        lean = np.clip(bend / np.maximum(fall, 0.1), 0, 5) * (2 * drop / reach)
        stretch = 1 / np.sqrt(1 + lean * lean)
        middle = start + drop * (1 - fall) - 0.07 * bend * (1 - bend)
        sheet += 0.13 * bar((v - middle) * stretch, 0.0145) * step(0.05, 0.09, u) * (u < reach)
        if 1 <= index <= 7:
            front = start + drop + front_drop * fall
            ends = step(0.42, 0.6, bend) * (u < reach)
            sheet += 0.075 * bar((v - front) * stretch, 0.017) * ends
    return bones


def _window(x: Map, y: Map, top: float, bottom: float, side: float) -> tuple[slice, slice]:
    """Rows about `top` to `bottom` of one half of the body; generous, for the tilt."""
    height, width = x.shape
    rows = np.flatnonzero(np.abs(y[:, width // 2] - (top + bottom) / 2) < (bottom - top) / 2 + 0.02)
    columns = np.flatnonzero(side * x[height // 2] > -0.03)
    empty = slice(0, 0)
    return (
        slice(rows[0], rows[-1] + 1) if rows.size else empty,
        slice(columns[0], columns[-1] + 1) if columns.size else empty,
    )


def _shoulders(x: Map, y: Map) -> Map:
    """Collar bones, shoulder blades and the heads of the upper arms."""
    u = np.abs(x)
    t = (u - 0.09) * (1 / 0.6)
    collar = 0.175 - 0.1 * t + 0.2 * t * (t - 0.5) * (t - 1)
    bones = 0.13 * bar(y - collar, 0.017) * step(0.06, 0.09, u) * step(0.74, 0.66, u)
    edge = u - (0.6 + 0.2 * (y - 0.12))
    blade = step(0.0, 0.02, edge) * step(0.45, 0.3, y) * step(0.1, 0.14, y)
    bones += 0.06 * blade * step(0.2, 0.05, edge)
    bones += 0.08 * bar(edge - 0.02, 0.013) * step(0.45, 0.38, y) * step(0.1, 0.14, y)
    bones += 0.12 * step(0.0, 0.5, ellipse(u, y, 0.87, 0.19, 0.095, 0.055))
    return bones + 0.13 * bar(u - 0.91 - 0.1 * (y - 0.2), 0.055) * step(0.2, 0.26, y)


def _vessels(x: Map, y: Map, random: RandomBits) -> Map:
    """Arteries that leave the root of each lung, fork, and thin out towards its surface."""
    drawn = np.zeros_like(x)
    height, width = x.shape
    across, down = x[height // 2], y[:, width // 2]
    for side in _SIDES:
        root = (side * 0.14, 0.41)
        drawn += 0.1 * ellipse(x, y, root[0], root[1] + 0.03, 0.075, 0.085)
        twigs = []
        for index in range(9):
            dy = -1.0 + 0.24 * index + random.uniform(-0.1, 0.1)
            place = (root[0] + side * random.uniform(0, 0.04), root[1] + 0.012 * (index - 3))
            twigs.append((place, (side * (0.9 - 0.35 * dy * dy), 0.5 * dy), 0.015, 0))
        while twigs:
            start, heading, radius, depth = twigs.pop()
            for _ in range(3):
                heading = _rotate(heading, random.uniform(-0.25, 0.25))
                end = (start[0] + 0.055 * heading[0], start[1] + 0.055 * heading[1])
                _add_segment(drawn, across, down, start, end, radius)
                start, radius = end, radius * 0.86
            if depth < 3:
                spread = random.uniform(0.3, 0.6)
                twigs.append((start, _rotate(heading, spread), radius * 0.85, depth + 1))
                twigs.append((start, _rotate(heading, -spread), radius * 0.7, depth + 1))
    return drawn


def _rotate(heading: tuple[float, float], by: float) -> tuple[float, float]:
    dx, dy = heading[0] - by * heading[1], heading[1] + by * heading[0]
    length = math.sqrt(dx * dx + dy * dy)
    return dx / length, dy / length


def _add_segment(
    drawn: Map,
    across: Map,
    down: Map,
    start: tuple[float, float],
    end: tuple[float, float],
    radius: float,
) -> None:
    """Add a short tube, as bright as it is thick; only its surroundings are touched."""
    near_x = np.flatnonzero(np.abs(across - (start[0] + end[0]) / 2) < 0.05 + radius)
    near_y = np.flatnonzero(np.abs(down - (start[1] + end[1]) / 2) < 0.05 + radius)
    if near_x.size == 0 or near_y.size == 0:
        return
    window = (slice(near_y[0], near_y[-1] + 1), slice(near_x[0], near_x[-1] + 1))
    px, py = across[window[1]][None, :] - start[0], down[window[0]][:, None] - start[1]
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = np.clip((px * dx + py * dy) * (1 / (dx * dx + dy * dy)), 0, 1)
    px, py = (px - along * dx) * 0.5, py - along * dy  # x spans two units, y one
    near = np.clip(1 - (px * px + py * py) * (1 / (radius * radius * 0.3)), 0, 1)
    tube = drawn[window]
    np.maximum(tube, near * min(0.14, 9 * radius), out=tube)


def _stomach_bubble(x: Map, y: Map, random: RandomBits) -> Map:
    size, wave = random.uniform(0.7, 1.1), 0.02 * (x - 0.3)
    return 0.13 * step(0.0, 0.8, ellipse(x, y + wave, 0.33, 0.845, 0.17 * size, 0.04 * size))


def _clouding(x: Map, y: Map, random: RandomBits, pattern: str) -> Map:
    height, width = x.shape
    if pattern == "diffuse":
        return (0.2 + 0.06 * random.texture(height, width, 13)) * step(0.15, 0.7, y)
    cloud = np.zeros_like(x)
    for _ in range(5):
        cx = random.uniform(0.22, 0.6) * _SIDES[int(random.uniform(0, 2))]
        cy, size = random.uniform(0.3, 0.68), random.uniform(0.07, 0.15)
        cloud = np.maximum(cloud, np.square(ellipse(x, y, cx, cy, 1.8 * size, 1.2 * size)))
    return cloud * (0.26 + 0.12 * random.texture(height, width, 17))
