"""Tessera, by its command-line program."""

from __future__ import annotations

import json
import math
import os
import resource
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from gltf import Gltf
from jobs import Job


def numbers(values: list[float]) -> str:
    """Numbers as the program reads them."""
    return ",".join(f"{one:.9g}" for one in values)


def arguments(job: Job, out: str) -> list[str]:
    """The command line that renders a job.

    Tessera's `--bounces` counts the scattering at the first hit too: Cycles' B is B + 1.
    """
    words = [
        str(job.program), "render", job.path, "--out", out, "--backend", "cpu", "--json",
        f"--size={job.width}x{job.height}", f"--spp={job.spp}", f"--seed={job.seed}",
        f"--threads={job.threads}", f"--bounces={job.bounces + 1}",
        f"--eye={numbers(job.eye)}", f"--target={numbers(job.target)}", f"--vfov={job.vfov}",
        f"--sky={job.sky}", "--filter=box", f"--rr={'off' if job.rr == 'off' else 'on'}",
    ]  # fmt: skip
    if job.sun > 0:
        words += [f"--sun={job.sun}", f"--sun-dir={numbers(job.sun_dir)}"]
    if job.material == "gray":
        words.append(f"--override=gray:{job.albedo}")
    without = [] if job.lights else ["lamps"]
    if not job.emission or job.material == "gray":
        without.append("emission")
    if without:
        words.append(f"--without={','.join(without)}")
    return words


def rewritten(path: str, folder: str, change: Callable[[dict[str, Any]], None]) -> str | None:
    """A copy of a .glb whose JSON is changed; nothing for a .gltf, whose files lie elsewhere."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:4] != b"glTF":
        return None
    size = struct.unpack("<I", data[12:16])[0]
    document = json.loads(data[20 : 20 + size])
    change(document)
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + size :]
    head = struct.pack("<II", 2, 20 + len(text) + len(rest)) + struct.pack("<I", len(text))
    copy = os.path.join(folder, os.path.basename(path))
    with open(copy, "wb") as file:
        file.write(b"glTF" + head + b"JSON" + text + rest)
    return copy


def two_sided(gltf: Gltf, path: str, folder: str) -> tuple[str, list[str]]:
    """A copy whose materials are all two-sided, and a note; or the path itself.

    Tessera's camera does not see the backs of single-sided triangles, as glTF has it; the peers
    show them.
    """

    def change(document: dict[str, Any]) -> None:
        for material in document.get("materials", []):
            material["doubleSided"] = True

    if all(material.get("doubleSided") for material in gltf.json.get("materials", [])):
        return path, []
    copy = rewritten(path, folder, change)
    if copy is None:
        return path, ["backs of single-sided surfaces are not seen by the camera"]
    return copy, ["all materials are made two-sided, as the peers show them"]


def with_camera(job: Job, folder: str) -> str | None:
    """A copy of a .glb whose only camera is the job's, for programs that take the scene's own."""
    eye, target = np.array(job.eye, float), np.array(job.target, float)
    back = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross([0, 1, 0], back)
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3] = np.stack([right, np.cross(back, right), back, eye], 1)

    def change(document: dict[str, Any]) -> None:
        for node in document["nodes"]:
            node.pop("camera", None)
        lens = {"yfov": math.radians(job.vfov), "znear": 0.001}
        document["cameras"] = [{"type": "perspective", "perspective": lens}]
        document["nodes"].append({"camera": 0, "matrix": matrix.T.ravel().tolist()})
        document["scenes"][document.get("scene", 0)]["nodes"].append(len(document["nodes"]) - 1)

    return rewritten(job.path, folder, change)


def render(job: Job) -> dict[str, Any]:
    """Renders a job; the program tells the seconds of sampling itself."""
    gltf = Gltf(job.path)
    notes = [] if not gltf.lamps or job.lights else ["the file's lamps are left out"]
    with tempfile.TemporaryDirectory() as folder:
        if job.material == "gltf":
            path, more = two_sided(gltf, job.path, folder)
            job, notes = job.with_(path=path), notes + more
        command = arguments(job, job.out or os.path.join(folder, "out.exr"))
        walls, answers = [], []
        for _turn in range(job.repeat):
            start = time.perf_counter()
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            walls.append(time.perf_counter() - start)
            answers.append(json.loads(done.stdout))
    answers.sort(key=lambda answer: answer["cpu_seconds"])
    answer = answers[len(answers) // 2]
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    total_cpu_s = (usage.ru_utime + usage.ru_stime) / job.repeat
    rays = answer["rays"]["closest"] + answer["rays"]["shadow"]
    version = subprocess.run([str(job.program), "--version"], stdout=subprocess.PIPE, text=True)
    return {"version": version.stdout.strip(), "sample_s": answer["seconds"],
            "sample_cpu_s": answer["cpu_seconds"], "build_s": walls[-1] - answer["seconds"],
            "build_cpu_s": total_cpu_s - answer["cpu_seconds"],
            "rays_per_sample": rays / answer["samples"],
            "Mrays_s_eff": rays / answer["cpu_seconds"] * job.threads / 1e6,
            "rss_MiB": usage.ru_maxrss / 1024, "notes": notes}
