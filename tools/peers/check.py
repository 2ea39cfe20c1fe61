"""Scenes whose light is known: they prove lamps' units and what a bounce is, for every renderer.

Over a Lambertian floor of reflectance a, a light of intensity I at distance d and slant c gives
the radiance a/π · I · c / d². In a hollow ball of radius 1 with a point light in its middle every
point sends a·I/π, and every scattering more adds a times the last part, so that B scatterings
after the first hit give a·I/π · (1 + a + … + aᴮ).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import made
from gltf import Array, Gltf, Lamp
from jobs import Job

ALBEDO = 0.8
SIZE = (256, 144)
HEIGHT_M = 2.0


@dataclass
class Case:
    """A job without a renderer, and the radiance of its pixels' middles, [height][width]."""

    name: str
    job: Job
    expected: Array

    def judge(self, picture: Array) -> dict[str, Any]:
        """Ratios of what a renderer found to what is right, where it is not dark."""
        found = picture.mean(-1).astype("f8")
        lit = self.expected > 0.02 * self.expected.max()
        low, high = np.percentile(found[lit] / self.expected[lit], [1, 99])
        return {"expected": float(self.expected.mean()), "found": float(found.mean()),
                "mean_ratio": float(found.mean() / self.expected.mean()),
                "pixels_p01": float(low), "pixels_p99": float(high)}


def job(scene: str, path: Path, eye: list[float], target: list[float], **more: Any) -> Job:
    """What all cases share."""
    given: dict[str, Any] = {"spp": 64, "bounces": 0, "sun": 0.0, "lights": True, **more}
    return Job(renderer="", scene=scene, path=str(path), width=SIZE[0], height=SIZE[1], threads=2,
               material="gray", albedo=ALBEDO, rr="off", seed=1, sun_dir=[0.6, 0.8, 0.0], sky=0.0,
               emission=False, eye=eye, target=target, vfov=50.0, **given)


def floor_points(one: Job) -> Array:
    """Where the pixels' middles meet the floor y = 0, metres, [height][width][3]."""
    eye, target = np.array(one.eye), np.array(one.target)
    ahead = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(ahead, [0, 1, 0])
    right /= np.linalg.norm(right)
    up, half = np.cross(right, ahead), math.tan(math.radians(one.vfov / 2))
    y, x = np.mgrid[: one.height, : one.width]
    sx = (2 * (x + 0.5) / one.width - 1) * half * one.width / one.height
    sy = (1 - 2 * (y + 0.5) / one.height) * half
    way = ahead + sx[..., None] * right + sy[..., None] * up
    return eye - way * eye[1] / way[..., 1:2]


def irradiance(lamp: Lamp, points: Array) -> Array:
    """Of the floor by a lamp that points down, W/m²."""
    peak = max(lamp.intensity)
    if lamp.kind == "directional":
        return np.full(points.shape[:2], peak * -lamp.axis[1])
    way = np.array(lamp.position) - points
    distance = np.linalg.norm(way, axis=-1)
    slant = way[..., 1] / distance
    out = peak * slant / distance**2
    if lamp.kind == "spot":
        scale, offset = lamp.cone()
        out *= np.clip(slant * scale + offset, 0, 1) ** 2
    return out


def lamp_cases(out: Path) -> list[Case]:
    """A lamp of each kind over the floor, and the sun."""
    lights = [
        {"type": "point", "intensity": 5.0},
        {"type": "spot", "intensity": 5.0, "spot": {"innerConeAngle": 0.3, "outerConeAngle": 0.7}},
        {"type": "directional", "intensity": 5.0},
    ]
    cases, eye, target = [], [0.0, 3.0, 4.0], [0.0, 0.0, 0.0]
    for light in lights:
        path = out / f"floor-{light['type']}.glb"
        made.write_plane(str(path), light)
        one = job(path.stem, path, eye, target)
        lamp = Gltf(str(path)).lamps[0]
        found = irradiance(lamp, floor_points(one)) * ALBEDO / math.pi
        cases.append(Case(f"{light['type']} lamp", one, found))
    sun = cases[-1].job.with_(scene="floor-sun", lights=False, sun=5.0)
    slant = 5.0 * 0.8 * ALBEDO / math.pi
    return [*cases, Case("sun", sun, np.full((SIZE[1], SIZE[0]), slant))]


def ball_cases(out: Path) -> list[Case]:
    """The hollow ball at three counts of bounces."""
    path = out / "ball.glb"
    made.write_ball(str(path), 1.0)
    cases = []
    for bounces in (0, 1, 2):
        one = job("ball", path, [0.5, 0.1, 0.2], [0, 0, -0.1], bounces=bounces, spp=256)
        value = ALBEDO / math.pi * sum(ALBEDO**power for power in range(bounces + 1))
        cases.append(Case(f"ball, B = {bounces}", one, np.full((SIZE[1], SIZE[0]), value)))
    return cases


BUILDERS: list[Callable[[Path], list[Case]]] = [lamp_cases, ball_cases]


def cases(out: Path) -> list[Case]:
    """All of them; their scenes are written to `out`."""
    return [case for build in BUILDERS for case in build(out)]
