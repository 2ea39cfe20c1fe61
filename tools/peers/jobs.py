"""What is rendered, said once for all renderers, and how a renderer's process is started.

Everything is in glTF's space (y up, metres, right-handed). Each renderer runs in a process of its
own, `bench.py worker JOB`, and answers with one line; its peak memory is that process's own.
"""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
import math
import os
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gltf import Gltf

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
RENDERERS = ["tessera", "cycles", "mitsuba-llvm", "mitsuba-scalar", "luxcore"]


@dataclass
class Job:
    """One picture by one renderer.

    `bounces` is Cycles' count B: scattering events after the first hit; light that the camera sees
    after B + 1 scatterings is in the picture. `vfov` is the vertical field of view in degrees,
    `sun` an irradiance in W/m² on a surface that faces it, `sun_dir` points towards it, `sky` is a
    radiance in W/(sr·m²). `rr` off: no Russian roulette; native: as the renderer does it.
    """

    renderer: str
    scene: str
    path: str
    width: int
    height: int
    spp: int
    bounces: int
    threads: int
    material: str
    albedo: float
    rr: str
    seed: int
    sun: float
    sun_dir: list[float]
    sky: float
    emission: bool
    lights: bool
    eye: list[float]
    target: list[float]
    vfov: float
    repeat: int = 1
    out: str | None = None
    program: str | None = None
    cycles: dict[str, Any] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Samples of the whole picture."""
        return self.width * self.height * self.spp

    def key(self) -> str:
        """A name for the picture that changes with anything that it depends on."""
        said = dataclasses.asdict(self)
        for name in ("out", "threads", "repeat"):
            said.pop(name)
        for name in ("path", "program"):
            path = said.pop(name)
            said[name] = file_digest(path) if path else None
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]
        return f"{self.scene}-{self.material}-{self.renderer}-{self.spp}-{digest}"

    def with_(self, **changes: Any) -> Job:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)


def file_digest(path: str) -> str:
    """The SHA-256 of a file; pictures of another build or scene are not mixed up."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def scenes_folder(given: str | None) -> Path:
    """Where scenes lie that this repository does not hold."""
    folder = given or os.environ.get("TESSERA_SCENES")
    return Path(folder) if folder else REPOSITORY.parent / "shared" / "scenes"


def preset(name: str, scenes: Path, out: Path) -> dict[str, Any]:
    """A preset by name, or an empty one for a file; its `path` is absolute and exists."""
    presets = json.loads((HERE / "presets.json").read_text())
    found = presets.get(name, {"path": str(Path(name).resolve())})
    if found.get("generate") == "town":
        import made

        path = out / "town-1000.glb"
        made.write_town(str(path))
    else:
        path = scenes / found["path"]
    if not path.exists():
        raise SystemExit(
            f"no scene at {path}; presets: {', '.join(presets)}; "
            "their files are looked for in --scenes or TESSERA_SCENES"
        )
    return {**found, "path": str(path)}


def frame(gltf: Gltf, eye: list[float] | None, target: list[float] | None,
          vfov: float) -> tuple[list[float], list[float]]:
    """Eye and target, metres, from the scene's bounds where they are not given."""
    middle, radius = (gltf.lo + gltf.hi) / 2, float(np.linalg.norm(gltf.hi - gltf.lo)) / 2
    target = target or [float(one) for one in middle]
    if eye is None:
        way = np.array([0.55, 0.35, 1.0])
        distance = radius / math.tan(math.radians(vfov) / 2) * 0.72
        eye = [float(one) for one in np.array(target) + way / np.linalg.norm(way) * distance]
    return eye, target


def environment(renderer: str) -> dict[str, str]:
    """The environment of a renderer's process."""
    env = dict(os.environ)
    if renderer == "luxcore":
        # It loads TBB's allocator, which must come first, or free() sees foreign pointers.
        folder = sysconfig.get_paths()["purelib"]
        libraries = glob.glob(folder + "/pyluxcore.libs/libtbbmalloc*")
        env["LD_PRELOAD"] = ":".join(sorted(libraries, key=lambda path: "proxy" in path))
    return env


def run(job: Job) -> dict[str, Any]:
    """Renders, and gives the worker's measurements, or an `error`."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "job.json")
        Path(path).write_text(json.dumps(dataclasses.asdict(job)))
        done = subprocess.run(
            [sys.executable, str(HERE / "bench.py"), "worker", path],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(job.renderer),
        )
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line[7:])
    sys.stderr.write(done.stdout[-3000:])
    error = f"exit code {done.returncode}"
    return {"renderer": job.renderer, "scene": job.scene, "error": error}


def cached(job: Job, folder: Path) -> tuple[dict[str, Any], str]:
    """Renders into `folder` unless the same picture is there already; gives its path too."""
    out = folder / f"{job.key()}.exr"
    note = out.with_suffix(".json")
    if out.exists() and note.exists():
        return json.loads(note.read_text()), str(out)
    result = run(job.with_(out=str(out)))
    if "error" not in result:
        note.write_text(json.dumps(result))
    return result, str(out)


def median(values: list[float]) -> float:
    """The middle one, the upper of two."""
    return float(sorted(values)[len(values) // 2])
