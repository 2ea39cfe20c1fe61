"""Closest hits by Embree (the embreex wheel) on one thread, beside Tessera's own trace bench.

embreex calls Embree's single-ray function in a loop over NumPy arrays, robust flag unset; copying
rays in and hits out is in the time.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from typing import Any

import numpy as np

import peer_tessera
from gltf import Array, Gltf
from jobs import Job

RAYS = ["primary", "diffuse", "shuffled"]


def camera_rays(job: Job) -> tuple[Array, Array]:
    """A ray through each pixel's middle, in tiles of 8 × 8 pixels as Tessera's bench has them."""
    eye, target = np.array(job.eye, float), np.array(job.target, float)
    ahead = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(ahead, [0, 1, 0])
    right /= np.linalg.norm(right)
    up = np.cross(right, ahead)
    half = np.tan(np.radians(job.vfov) / 2)
    y, x = np.mgrid[: job.height // 8 * 8, : job.width // 8 * 8]
    tiles = (y.shape[0] // 8, 8, y.shape[1] // 8, 8)
    order = [axis.reshape(tiles).transpose(0, 2, 1, 3).ravel() for axis in (x, y)]
    sx = (2 * (order[0] + 0.5) / job.width - 1) * half * job.width / job.height
    sy = (1 - 2 * (order[1] + 0.5) / job.height) * half
    ways = ahead + sx[:, None] * right + sy[:, None] * up
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    return np.tile(eye, (len(ways), 1)).astype("f4"), ways.astype("f4")


def scatter(corners: Array, origins: Array, ways: Array, hits: dict[str, Array],
            random: np.random.Generator) -> tuple[Array, Array]:
    """Cosine-distributed rays that leave the hit surfaces on the side that they were seen from."""
    met = hits["primID"] >= 0
    triangles = corners[hits["primID"][met]].astype("f8")
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30)
    normal *= -np.sign((normal * ways[met]).sum(1, keepdims=True))
    on_ball = random.normal(size=normal.shape)
    on_ball /= np.linalg.norm(on_ball, axis=1, keepdims=True)
    away = normal + on_ball * 0.999999
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    at = origins[met] + ways[met] * hits["tfar"][met, None]
    size = np.abs(at).max(1, keepdims=True) + np.ptp(corners.reshape(-1, 3), axis=0).max() * 1e-2
    return (at + normal * size * 1e-5).astype("f4"), away.astype("f4")


def rates(job: Job, runs: int = 3) -> list[dict[str, Any]]:
    """Mrays per CPU-second of the best of some runs, for each kind of ray."""
    from embreex.mesh_construction import TriangleMesh
    from embreex.rtcore_scene import EmbreeScene

    gltf = Gltf(job.path)
    corners = np.concatenate([prim.pos[prim.idx] for prim in gltf.prims]).astype("f4")
    scene = EmbreeScene()
    TriangleMesh(scene, np.ascontiguousarray(corners))
    random = np.random.Generator(np.random.PCG64(job.seed))
    primary = camera_rays(job)
    hits = scene.run(*primary, query="INTERSECT", output=True)
    diffuse = scatter(corners, *primary, hits, random)
    order = random.permutation(len(diffuse[0]))
    shuffled = tuple(np.ascontiguousarray(part[order]) for part in diffuse)
    rows = []
    for name, rays in zip(RAYS, (primary, diffuse, shuffled), strict=True):
        best = np.inf
        for _run in range(runs):
            start = time.process_time()
            met = scene.run(*rays, query="INTERSECT")
            best = min(best, time.process_time() - start)
        rows.append({"renderer": "embree", "scene": job.scene, "tris": gltf.tris, "rays": name,
                     "count": len(rays[0]), "met_pct": float((met >= 0).mean() * 100),
                     "Mrays_s": len(rays[0]) / best / 1e6})
    return rows


def trace_bench(program: str, job: Job) -> list[dict[str, Any]]:
    """The same of Tessera, by its trace bench, through a copy of the scene with this camera."""
    size = f"{job.width // 8 * 8}x{job.height // 8 * 8}"
    notes = []
    with tempfile.TemporaryDirectory() as folder:
        path = peer_tessera.with_camera(job, folder)
        if path is None:
            path, notes = job.path, ["the trace bench looks with a camera of its own"]
        command = [program, path, "--size", size, "--samples", "1", "--threads", "1"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    pattern = r"^\s+(\w+)\s+(\d+) rays\s+([\d.]+)\s+([\d.]+)\s+[\d.]+\s+([\d.]+) % met"
    rows = []
    for name, count, _portable, best, met in re.findall(pattern, done.stdout, re.M):
        if name in RAYS:
            rows.append({"renderer": "tessera", "scene": job.scene, "rays": name, "notes": notes,
                         "count": int(count), "met_pct": float(met), "Mrays_s": float(best)})
    return rows
