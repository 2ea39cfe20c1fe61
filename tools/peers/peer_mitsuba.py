"""Mitsuba 3: the `llvm_ad_rgb` and `scalar_rgb` variants of its path integrator."""

from __future__ import annotations

import glob
import math
import os
import tempfile
import time
from typing import Any

import numpy as np

from files import write_exr, write_ply
from gltf import Array, Gltf, Lamp, Material
from jobs import Job, median

VARIANTS = {"mitsuba-llvm": "llvm_ad_rgb", "mitsuba-scalar": "scalar_rgb"}
# Samples of one wavefront.
PASS_SAMPLES = 1 << 24


def load(renderer: str, threads: int) -> Any:
    """The module with its variant set.

    Dr.Jit needs LLVM 19 on CPUs with AVX-512: 15 and 16 end with "Cannot select".
    """
    libraries = sorted(glob.glob("/usr/lib/*/libLLVM.so.19*"))
    if libraries:
        os.environ.setdefault("DRJIT_LIBLLVM_PATH", libraries[0])
    import drjit
    import mitsuba

    mitsuba.set_variant(VARIANTS[renderer])
    drjit.set_thread_count(threads)
    return mitsuba


def rgb(values: list[float]) -> dict[str, Any]:
    """A colour; unbounded."""
    return {"type": "rgb", "value": [float(one) for one in values]}


def texture(mi: Any, image: Array) -> dict[str, Any]:
    """A picture of linear floats."""
    pixels = image if image.ndim == 3 else image[..., None]
    return {"type": "bitmap", "bitmap": mi.Bitmap(np.ascontiguousarray(pixels)), "raw": True}


def either(mi: Any, image: Array | None, value: Any) -> Any:
    """The picture where there is one."""
    return value if image is None else texture(mi, image)


def surface(mi: Any, m: Material) -> dict[str, Any]:
    """A glTF material as the `principled` BSDF."""
    metal, rough = m.mr_tex or (None, None)
    out: dict[str, Any] = {
        "type": "principled",
        "base_color": either(mi, m.base_tex, rgb(m.base)),
        "metallic": either(mi, metal, m.metal),
        "roughness": either(mi, rough, m.rough),
        "eta": m.ior,
    }
    if m.coat:
        out["clearcoat"], out["clearcoat_gloss"] = m.coat, 1 - m.coat_rough
    if m.trans:
        out["spec_trans"] = m.trans
    if m.normal_tex is not None:
        out = {"type": "normalmap", "normalmap": texture(mi, m.normal_tex), "bsdf": out}
    if not m.trans:
        out = {"type": "twosided", "bsdf": out}
    if m.opacity_tex is not None:
        out = {"type": "mask", "opacity": texture(mi, m.opacity_tex), "bsdf": out}
    return out


def emitter(mi: Any, lamp: Lamp) -> dict[str, Any]:
    """A punctual light; a spot's falloff is a texture, since Mitsuba's own has another shape."""
    if lamp.kind == "point":
        return {"type": "point", "position": lamp.position, "intensity": rgb(lamp.intensity)}
    if lamp.kind == "directional":
        return {"type": "directional", "direction": lamp.axis, "irradiance": rgb(lamp.intensity)}
    up = [0, 0, 1] if abs(lamp.axis[1]) > 0.99 else [0, 1, 0]
    target = [position + axis for position, axis in zip(lamp.position, lamp.axis, strict=True)]
    # A little wider, so that the hard edge lies where the falloff is 0 already.
    cutoff = min(lamp.outer * 1.02, math.pi / 2 - 0.01)
    side = np.linspace(-1, 1, 1024) * (1 - 1 / 1024) * math.tan(cutoff)
    cosine = 1 / np.sqrt(1 + side[:, None] ** 2 + side[None] ** 2)
    scale, offset = lamp.cone()
    falloff = (np.clip(cosine * scale + offset, 0, 1) ** 2)[..., None]
    return {
        "type": "spot",
        "to_world": mi.ScalarTransform4f().look_at(origin=lamp.position, target=target, up=up),
        "cutoff_angle": math.degrees(cutoff),
        "beam_width": math.degrees(cutoff) * 0.9999,
        "intensity": rgb([1.0] * 3),
        "texture": texture(mi, (falloff * np.array(lamp.intensity)).astype("f4")),
    }


def frame(mi: Any, job: Job) -> dict[str, Any]:
    """Camera, film, integrator, sun and sky."""
    look = mi.ScalarTransform4f().look_at(origin=job.eye, target=job.target, up=[0, 1, 0])
    film = {"type": "hdrfilm", "width": job.width, "height": job.height, "pixel_format": "rgb",
            "component_format": "float32", "rfilter": {"type": "box"}}
    roulette = 100_000 if job.rr == "off" else 5
    scene = {
        "type": "scene",
        "sensor": {"type": "perspective", "fov": job.vfov, "fov_axis": "y", "near_clip": 1e-3,
                   "far_clip": 1e7, "to_world": look, "film": film,
                   "sampler": {"type": "independent", "sample_count": job.spp}},
        "integrator": {"type": "path", "max_depth": job.bounces + 2, "rr_depth": roulette},
    }
    if job.sky > 0:
        scene["sky"] = {"type": "constant", "radiance": rgb([job.sky] * 3)}
    if job.sun > 0:
        away = [-one for one in job.sun_dir]
        scene["sun"] = {"type": "directional", "direction": away,
                        "irradiance": rgb([job.sun] * 3)}
    return scene


def build(mi: Any, job: Job, gltf: Gltf, folder: str) -> Any:
    """The scene, loaded; meshes go through PLY files in `folder`."""
    scene = frame(mi, job)
    if job.lights:
        for index, lamp in enumerate(gltf.lamps):
            scene[f"lamp{index}"] = emitter(mi, lamp)
    gray = {"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": rgb([job.albedo] * 3)}}
    materials: dict[int | None, Any] = {}
    for index, prim in enumerate(gltf.prims):
        wanted = None if job.material == "gray" else prim.mat
        if wanted not in materials:
            source = gltf.material(wanted)
            said = gray if job.material == "gray" else surface(mi, source)
            materials[wanted] = (source, mi.load_dict(said))
        source, bsdf = materials[wanted]
        shape = {"type": "ply", "filename": write_ply(f"{folder}/{index}.ply", prim), "bsdf": bsdf}
        if job.emission and job.material != "gray" and any(source.emit):
            radiance = either(mi, source.emit_tex, rgb(source.emit))
            shape["emitter"] = {"type": "area", "radiance": radiance}
        scene[f"shape{index}"] = shape
    return mi.load_dict(scene)


def passes(job: Job) -> list[int]:
    """Samples per pixel of each wavefront: as even as can be."""
    most = max(1, PASS_SAMPLES // (job.width * job.height))
    count = -(-job.spp // most)
    return [job.spp // count + (index < job.spp % count) for index in range(count)]


def render(job: Job) -> dict[str, Any]:
    """Renders a job; seconds of each phase. Compiling kernels is told apart from sampling."""
    start = time.perf_counter()
    mi = load(job.renderer, job.threads)
    import_s = time.perf_counter() - start
    start = time.perf_counter()
    gltf = Gltf(job.path)
    load_s = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        scene = build(mi, job, gltf, folder)
        build_s, build_cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    wall, cpu = time.perf_counter(), time.process_time()
    if job.renderer == "mitsuba-llvm":
        for spp in sorted(set(passes(job))):
            np.array(mi.render(scene, seed=job.seed * 1000 + 999, spp=spp))
    cold = time.process_time() - cpu
    times, image = [], 0
    for turn in range(job.repeat):
        wall, cpu, image = time.perf_counter(), time.process_time(), 0
        for index, spp in enumerate(passes(job)):
            seed = job.seed * 100_000 + turn * 1000 + index
            image = image + np.array(mi.render(scene, seed=seed, spp=spp)).astype("f8") * spp
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    if job.out:
        write_exr(job.out, image / job.spp)
    notes = ["gltf materials are Mitsuba's principled BSDF"] if job.material != "gray" else []
    notes += [] if not gltf.lamps or job.lights else ["the file's lamps are left out"]
    return {"version": mi.__version__, "import_s": import_s, "load_s": load_s, "build_s": build_s,
            "build_cpu_s": build_cpu_s, "cold_cpu_s": cold,
            "sample_s": median([one[0] for one in times]),
            "sample_cpu_s": median([one[1] for one in times]), "notes": notes + gltf.notes}
