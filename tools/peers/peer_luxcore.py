"""LuxCore: PATHCPU with the Sobol sampler."""

from __future__ import annotations

import math
import tempfile
import time
from typing import Any

import numpy as np

from files import write_exr, write_ply
from gltf import Array, Gltf, Lamp
from jobs import Job


class Writer:
    """LuxCore's properties of a scene, with the files that they name."""

    def __init__(self, lx: Any, folder: str) -> None:
        """No properties yet; files go into `folder`."""
        self.lx, self.folder = lx, folder
        self.properties = lx.Properties()
        self.known: set[str] = set()

    def put(self, key: str, value: Any) -> None:
        """Sets a property."""
        self.properties.Set(self.lx.Property(key, value))

    def image(self, name: str, pixels: Array) -> str:
        """Makes a texture of linear floats; gives its name."""
        if pixels.ndim == 2:
            pixels = np.repeat(pixels[..., None], 3, -1)
        path = f"{self.folder}/{name}.exr"
        write_exr(path, pixels)
        self.put(f"scene.textures.{name}.type", "imagemap")
        self.put(f"scene.textures.{name}.file", path)
        self.put(f"scene.textures.{name}.gamma", 1.0)
        return name


def put_frame(out: Writer, job: Job) -> None:
    """Camera, sun and sky."""
    camera = "scene.camera."
    out.put(camera + "type", "perspective")
    out.put(camera + "lookat.orig", job.eye)
    out.put(camera + "lookat.target", job.target)
    out.put(camera + "up", [0.0, 1.0, 0.0])
    out.put(camera + "autofocus.enable", False)
    out.put(camera + "cliphither", 1e-3)
    out.put(camera + "clipyon", 1e7)
    # Its field of view spans the longer side.
    aspect = max(1.0, job.width / job.height)
    half = math.atan(math.tan(math.radians(job.vfov / 2)) * aspect)
    out.put(camera + "fieldofview", math.degrees(2 * half))
    if job.sky > 0:
        out.put("scene.lights.sky.type", "constantinfinite")
        out.put("scene.lights.sky.color", [job.sky] * 3)
    if job.sun > 0:
        out.put("scene.lights.sun.type", "sharpdistant")
        out.put("scene.lights.sun.direction", [-one for one in job.sun_dir])
        out.put("scene.lights.sun.color", [job.sun] * 3)


def put_lamp(out: Writer, name: str, lamp: Lamp) -> list[str]:
    """A punctual light; notes on what LuxCore cannot do."""
    key = f"scene.lights.{name}."
    if lamp.kind == "directional":
        out.put(key + "type", "sharpdistant")
        out.put(key + "direction", lamp.axis)
        out.put(key + "color", lamp.intensity)
        return []
    out.put(key + "color", [one * 4 * math.pi for one in lamp.intensity])
    out.put(key + "position", lamp.position)
    if lamp.kind == "point":
        out.put(key + "type", "point")
        return []
    out.put(key + "type", "spot")
    out.put(key + "color", lamp.intensity)
    ends = [position + axis for position, axis in zip(lamp.position, lamp.axis, strict=True)]
    out.put(key + "target", ends)
    out.put(key + "coneangle", math.degrees(lamp.outer))
    out.put(key + "conedeltaangle", math.degrees(lamp.outer - lamp.inner))
    return ["LuxCore: a spot's edge falls off in another shape"]


def put_material(out: Writer, job: Job, gltf: Gltf, index: int | None) -> str:
    """A glTF material as the `disney` one, or the gray; gives its name."""
    name = f"m{index}"
    if name in out.known:
        return name
    out.known.add(name)
    key = f"scene.materials.{name}."
    if job.material == "gray":
        out.put(key + "type", "matte")
        out.put(key + "kd", [job.albedo] * 3)
        return name
    m = gltf.material(index)
    metal, rough = m.mr_tex or (None, None)

    def either(letter: str, image: Array | None, value: Any) -> Any:
        return value if image is None else out.image(name + letter, image)

    values = {
        "basecolor": either("b", m.base_tex, m.base),
        "metallic": either("m", metal, m.metal),
        "roughness": either("r", rough, m.rough),
        "specular": 0.5,
    }
    if m.normal_tex is not None:
        source = out.image(name + "n", m.normal_tex)
        out.put(f"scene.textures.{name}N.type", "normalmap")
        out.put(f"scene.textures.{name}N.texture", source)
        values["bumptex"] = name + "N"
    if m.opacity_tex is not None:
        values["transparency"] = out.image(name + "o", m.opacity_tex)
    if job.emission and any(m.emit):
        values["emission"] = either("e", m.emit_tex, m.emit)
    out.put(key + "type", "disney")
    for part, value in values.items():
        out.put(key + part, value)
    return name


def settings(lx: Any, job: Job) -> Any:
    """The render engine's properties: nothing clamped or filtered."""
    depth = {f"path.pathdepth.{kind}": job.bounces + 2
             for kind in ("total", "diffuse", "glossy", "specular")}
    values = {
        "renderengine.type": "PATHCPU",
        "sampler.type": "SOBOL",
        "native.threads.count": job.threads,
        "renderengine.seed": job.seed + 1,
        "film.width": job.width,
        "film.height": job.height,
        **depth,
        "path.russianroulette.depth": 100_000 if job.rr == "off" else 3,
        "path.clamping.variance.maxvalue": 0.0,
        "path.hybridbackforward.enable": False,
        "film.filter.type": "NONE",
        "lightstrategy.type": "LOG_POWER",
        "batch.haltspp": job.spp,
        "film.noiseestimation.warmup": 0,
        "accelerator.type": "EMBREE",
    }
    out = lx.Properties()
    for key, value in values.items():
        out.Set(lx.Property(key, value))
    return out


def render(job: Job) -> dict[str, Any]:
    """Renders a job; seconds of each phase."""
    start = time.perf_counter()
    import pyluxcore as lx

    lx.Init(lambda _message: None)
    import_s = time.perf_counter() - start
    start = time.perf_counter()
    gltf = Gltf(job.path)
    load_s = time.perf_counter() - start
    notes = [] if not gltf.lamps or job.lights else ["the file's lamps are left out"]
    if job.material != "gray":
        notes += ["gltf materials are LuxCore's disney one; transmission and coat are left out"]
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        out = Writer(lx, folder)
        put_frame(out, job)
        if job.lights:
            for index, lamp in enumerate(gltf.lamps):
                notes += put_lamp(out, f"lamp{index}", lamp)
        for index, prim in enumerate(gltf.prims):
            name = put_material(out, job, gltf, None if job.material == "gray" else prim.mat)
            ply = write_ply(f"{folder}/{index}.ply", prim)
            out.put(f"scene.objects.o{index}.ply", ply)
            out.put(f"scene.objects.o{index}.material", name)
        scene = lx.Scene()
        scene.Parse(out.properties)
        session = lx.RenderSession(lx.RenderConfig(settings(lx, job), scene))
        session.Start()
        build_s, build_cpu_s = time.perf_counter() - wall, time.process_time() - cpu
        wall, cpu = time.perf_counter(), time.process_time()
        while not session.HasDone():
            time.sleep(0.02)
            session.UpdateStats()
        sample_s, sample_cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    session.UpdateStats()
    done = session.GetStats().Get("stats.renderengine.pass").GetFloat()
    session.Stop()
    pixels = np.zeros((job.height, job.width, 3), "f4")
    session.GetFilm().GetOutputFloat(lx.FilmOutputType.RGB, pixels, 0)
    if job.out:
        write_exr(job.out, pixels[::-1])
    return {"version": lx.Version(), "import_s": import_s, "load_s": load_s, "build_s": build_s,
            "build_cpu_s": build_cpu_s, "sample_s": sample_s, "sample_cpu_s": sample_cpu_s,
            "spp_done": done, "notes": sorted(set(notes)) + gltf.notes}
