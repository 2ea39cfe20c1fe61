"""Scenes that the tool makes itself: a town under a thousand lamps, and analytic rooms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from files import write_glb
from gltf import Array

FACES = [(0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1)]


class Mesh:
    """Triangles with flat normals, collected."""

    def __init__(self) -> None:
        """An empty mesh."""
        self.positions: list[Array] = []
        self.normals: list[Array] = []
        self.indices: list[Array] = []
        self.count = 0

    def add(self, positions: Array, normals: Array, indices: Array) -> None:
        """Appends vertices, and triangles that count from the first of them."""
        self.positions.append(positions)
        self.normals.append(normals)
        self.indices.append(indices + self.count)
        self.count += len(positions)

    def add_box(self, low: Array, high: Array) -> None:
        """A box of twelve triangles, facing outwards."""
        for axis, side in FACES:
            one, two = (axis + 1) % 3, (axis + 2) % 3
            corners = np.tile(low, (4, 1)).astype(float)
            corners[:, axis] = high[axis] if side > 0 else low[axis]
            corners[[1, 2], one] = high[one]
            corners[[2, 3], two] = high[two]
            normal = np.zeros(3)
            normal[axis] = side
            order = [[0, 1, 2], [0, 2, 3]] if side > 0 else [[0, 2, 1], [0, 3, 2]]
            self.add(corners, np.tile(normal, (4, 1)), np.array(order))

    def write(self, path: str, lights: list[dict[str, Any]], nodes: list[dict[str, Any]]) -> None:
        """Writes the mesh and the lights that `nodes` place."""
        more = {}
        if lights:
            more["extensionsUsed"] = ["KHR_lights_punctual"]
            more["extensions"] = {"KHR_lights_punctual": {"lights": lights}}
        arrays = [np.concatenate(list_) for list_ in (self.positions, self.normals, self.indices)]
        write_glb(path, *arrays, more, nodes)


def light_node(index: int, position: Array, rotation: list[float] | None = None) -> dict[str, Any]:
    """A node that places light `index`, metres; `rotation` is a quaternion xyzw."""
    node: dict[str, Any] = {"extensions": {"KHR_lights_punctual": {"light": index}}}
    node["translation"] = [float(one) for one in position]
    if rotation:
        node["rotation"] = rotation
    return node


def write_town(path: str, lamp_count: int = 1000, seed: int = 1) -> None:
    """A town of 12 × 12 plots of 4 m with houses of boxes, and lamps 0.2 m off its walls.

    A lamp's power is drawn over three octaves and its colour from warm to cold, so that each
    matters only nearby. The same count and seed give the same file.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    mesh, houses = Mesh(), []
    mesh.add_box(np.array([-40.0, -1, -40]), np.array([40.0, 0, 40]))
    for x in range(12):
        for z in range(12):
            center = np.array([x * 4 - 22.0, 0, z * 4 - 22.0])
            half, height = random.uniform(0.8, 1.4, 2), random.uniform(1.2, 5.0)
            low = center - [half[0], 0, half[1]]
            high = center + [half[0], height, half[1]]
            mesh.add_box(low, high)
            mesh.add_box(low + [0.3, height, 0.3], high + [-0.3, 0.4, -0.3])
            houses.append((low, high))
    lights, nodes = [], []
    for index in range(lamp_count):
        low, high = houses[random.integers(len(houses))]
        axis, side = random.choice([0, 2]), random.choice([-1, 1])
        position = random.uniform(low, high)
        position[1] = random.uniform(0.3, max(0.4, high[1] - 0.2))
        position[axis] = (high[axis] + 0.2) if side > 0 else (low[axis] - 0.2)
        warm = random.uniform()
        color = [1.0, 0.35 + 0.5 * warm, 0.1 + 0.9 * warm]
        if warm > 0.7:
            color = [0.4, 0.7, 1.0]
        intensity = float(0.25 * 2 ** random.uniform(0, 3))
        lights.append({"type": "point", "color": color, "intensity": intensity})
        nodes.append(light_node(index, position))
    mesh.write(path, lights, nodes)


def write_plane(path: str, light: dict[str, Any]) -> None:
    """A floor of 400 × 400 m at y = 0, and one light 2 m over its middle that points down."""
    mesh = Mesh()
    mesh.add_box(np.array([-200.0, -1, -200]), np.array([200.0, 0, 200]))
    down = [-math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)]
    mesh.write(path, [light], [light_node(0, np.array([0, 2.0, 0]), down)])


def write_ball(path: str, intensity: float, rows: int = 128) -> None:
    """A hollow ball of radius 1 m, seen from inside, with a point light in its middle."""
    columns = rows * 2
    theta = np.linspace(0, math.pi, rows + 1)[:, None]
    phi = np.linspace(0, 2 * math.pi, columns + 1)[None]
    points = np.stack(np.broadcast_arrays(
        np.sin(theta) * np.cos(phi), np.cos(theta), -np.sin(theta) * np.sin(phi)), -1)
    row, column = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    first = (row * (columns + 1) + column).ravel()
    below = first + columns + 1
    # Triangles that would have no area at the poles are left out.
    upper = np.stack([first, first + 1, below], 1)[columns:]
    lower = np.stack([first + 1, below + 1, below], 1)[:-columns]
    mesh = Mesh()
    mesh.add(points.reshape(-1, 3), -points.reshape(-1, 3), np.concatenate([upper, lower]))
    light = {"type": "point", "intensity": intensity}
    mesh.write(path, [light], [light_node(0, np.zeros(3))])
