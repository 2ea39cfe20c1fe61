#!/usr/bin/env python3
"""Measures Tessera beside Cycles, Mitsuba 3 and LuxCore on the same scene, light and camera.

  run         renders a scene with each renderer: times, memory, pictures
  speed       gray surfaces, no Russian roulette: the same work, samples per second
  rays        closest-hit rays per second of one thread, by Embree and by Tessera's trace bench
  agree       means and block means against Cycles and Mitsuba at many samples
  equal-time  the headline: error after 20 s of sampling, each against its own reference
  converge    error at several sample counts, each against its own reference
  check       analytic scenes: lamps' and sun's radiometry, and what a bounce is
  compare     error of EXR pictures against a reference

Every renderer gets the same camera, sun, sky, lamps, bounces, box filter and threads; see
README.md for what the options mean. Each command prints JSON lines, notes, and a table.

A machine is rarely quiet, so the time of sampling is CPU-seconds divided by threads.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

import check
import jobs
import metrics
import report
from files import read_exr, write_png
from gltf import Gltf
from jobs import Job

REFERENCE_SEED = 77


# Arguments.


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(dest="command", required=True)
    for name in ("run", "speed", "rays", "agree", "equal-time", "converge"):
        one = commands.add_parser(name)
        one.add_argument("scenes", nargs="+", help="presets of presets.json, or .glb/.gltf files")
        add_common(one)
    commands.choices["speed"].set_defaults(material="gray", rr="off", spp=64)
    commands.choices["agree"].set_defaults(rr="off", spp=64)
    commands.choices["rays"].set_defaults(size="1920x1080")
    commands.choices["rays"].add_argument(
        "--trace-bench", default=os.environ.get("TESSERA_TRACE_BENCH"),
        help="Tessera's compiled trace bench; else TESSERA_TRACE_BENCH",
    )
    for name in ("equal-time", "converge"):
        commands.choices[name].set_defaults(rr="native")
    commands.choices["equal-time"].add_argument("--seconds", type=float, default=20.0)
    commands.choices["equal-time"].add_argument(
        "--reference-times", type=float, default=16.0, help="samples of a reference, in pictures'"
    )
    commands.choices["converge"].add_argument("--spps", default="16,64,256")
    commands.choices["converge"].add_argument("--reference-spp", type=int, default=4096)
    add_common(commands.add_parser("check"))
    compare = commands.add_parser("compare")
    compare.add_argument("reference")
    compare.add_argument("pictures", nargs="+")
    commands.add_parser("worker").add_argument("job")
    return top


def add_common(one: argparse.ArgumentParser) -> None:
    """Options of every command that renders."""
    one.add_argument("--renderers", default="tessera,cycles,mitsuba-llvm",
                     help=f"of {','.join(jobs.RENDERERS)}")
    one.add_argument("--tessera", default=os.environ.get("TESSERA"),
                     help="the tessera program; else TESSERA")
    one.add_argument("--scenes-dir", "--scenes", dest="scenes_dir", metavar="DIR",
                     help="where scene files lie; else TESSERA_SCENES")
    one.add_argument("--out", type=Path, default=jobs.REPOSITORY / "out" / "peers",
                     help="where pictures and references go")
    one.add_argument("--size", default="640x360")
    one.add_argument("--spp", type=int, default=64)
    one.add_argument("--bounces", type=int, default=8, help="scatterings after the first hit")
    one.add_argument("--threads", type=int, default=2)
    one.add_argument("--material", choices=["gltf", "gray"], help="else the preset's, else gltf")
    one.add_argument("--albedo", type=float, default=0.8, help="reflectance of gray")
    one.add_argument("--rr", choices=["off", "native"], default="off", help="Russian roulette")
    one.add_argument("--seed", type=int, default=1)
    one.add_argument("--sun", type=float, help="irradiance on a facing surface, W/m²")
    one.add_argument("--sky", type=float, help="radiance, W/(sr·m²)")
    one.add_argument("--emission", choices=["on", "off"], help="else the preset's, else off")
    one.add_argument("--lights", choices=["on", "off"], help="else the preset's, else off")
    one.add_argument("--repeat", type=int, default=1, help="renders; the median counts")
    one.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                     help="a Cycles setting, such as sampling_pattern=BLUE_NOISE")


def switch(given: str | None, otherwise: bool) -> bool:
    """On, off, or what the preset says."""
    return otherwise if given is None else given == "on"


def setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE of Cycles, as the type that it looks like."""
    name, value = text.split("=", 1)
    known = {"True": True, "False": False}
    return name, int(value) if value.isdigit() else known.get(value, value)


def make_job(args: argparse.Namespace, scene: str, renderer: str) -> Job:
    """The job that the options and the scene's preset ask for."""
    found = jobs.preset(scene, jobs.scenes_folder(args.scenes_dir), args.out)
    width, height = (int(one) for one in args.size.split("x"))
    vfov = found.get("vfov", 40.0)
    eye, target = found.get("eye"), found.get("target")
    if eye is None or target is None:
        eye, target = jobs.frame(Gltf(found["path"]), eye, target, vfov)
    if renderer == "tessera" and not args.tessera:
        raise SystemExit("name the tessera program with --tessera, or leave it out of --renderers")
    return Job(
        renderer=renderer, scene=Path(scene).stem, path=found["path"], width=width, height=height,
        spp=args.spp, bounces=args.bounces, threads=args.threads,
        material=args.material or found.get("material", "gltf"), albedo=args.albedo, rr=args.rr,
        seed=args.seed, sun=found.get("sun", 3.0) if args.sun is None else args.sun,
        sun_dir=found.get("sun_dir", [0.4, 0.8, 0.45]),
        sky=found.get("sky", 1.0) if args.sky is None else args.sky,
        emission=switch(args.emission, found.get("emission", False)),
        lights=switch(args.lights, found.get("lights", False)),
        eye=eye, target=target, vfov=vfov, repeat=args.repeat,
        program=args.tessera if renderer == "tessera" else None,
        cycles=dict(setting(one) for one in args.set) if renderer == "cycles" else {},
    )  # fmt: skip


def all_jobs(args: argparse.Namespace, scene: str) -> list[Job]:
    """A job for each renderer."""
    return [make_job(args, scene, renderer) for renderer in args.renderers.split(",")]


# Workers.


def worker(path: str) -> None:
    """Renders one job in this process and prints what it measured."""
    job = Job(**json.loads(Path(path).read_text()))
    if job.renderer == "cycles":
        import peer_cycles as peer
    elif job.renderer == "luxcore":
        import peer_luxcore as peer
    elif job.renderer == "tessera":
        import peer_tessera as peer
    else:
        import peer_mitsuba as peer
    out = peer.render(job)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    time_s = out["sample_cpu_s"] / job.threads
    said = {"scene": job.scene, "renderer": job.renderer, "material": job.material, "rr": job.rr,
            "bounces": job.bounces, "size": f"{job.width}x{job.height}", "spp": job.spp,
            "threads": job.threads, "time_s": time_s, "Msamples_s": job.samples / time_s / 1e6,
            "Msamples_s_wall": job.samples / out["sample_s"] / 1e6, "rss_MiB": memory}
    print("RESULT " + json.dumps({**said, **out}), flush=True)
    os._exit(0)  # the libraries' own teardown is slow, or crashes


# Commands.


def against_cycles(rows: list[dict[str, Any]], key: str, better: str) -> None:
    """Adds `ratio`: how much better than Cycles in the same scene a figure is."""
    bases = {row["scene"]: row[key] for row in rows if row["renderer"] == "cycles" and key in row}
    for row in rows:
        base = bases.get(row["scene"])
        if base and row.get(key):
            row["ratio"] = row[key] / base if better == "more" else base / row[key]


def run(args: argparse.Namespace) -> None:
    """Renders each scene with each renderer."""
    rows = []
    for scene in args.scenes:
        for job in all_jobs(args, scene):
            out = args.out / f"{job.scene}-{job.material}-{job.renderer}-{job.spp}.exr"
            row = jobs.run(job.with_(out=str(out)))
            if "error" not in row:
                write_png(str(out.with_suffix(".png")), read_exr(str(out)))
            report.line({**row, "out": out.name})
            rows.append(row)
    against_cycles(rows, "Msamples_s", "more")
    report.notes(rows)
    report.table(rows, {
        "scene": "scene", "renderer": "renderer", "material": "material", "spp": "spp",
        "build_cpu_s": "prepare, CPU-s", "time_s": "sample, s", "Msamples_s": "Msamples/s",
        "ratio": ": Cycles", "rays_per_sample": "rays a sample", "rss_MiB": "peak MiB",
    })  # fmt: skip


def rays(args: argparse.Namespace) -> None:
    """Rays per second of one thread."""
    import peer_embree as embree

    rows = []
    for scene in args.scenes:
        job = make_job(args, scene, "embree")
        found = embree.rates(job)
        if args.trace_bench:
            found += embree.trace_bench(args.trace_bench, job)
        base = {row["rays"]: row["Mrays_s"] for row in found if row["renderer"] == "embree"}
        for row in found:
            report.line({**row, "ratio": row["Mrays_s"] / base[row["rays"]]})
            row["ratio"] = row["Mrays_s"] / base[row["rays"]]
        rows += found
    report.notes(rows)
    report.table(rows, {"scene": "scene", "renderer": "renderer", "rays": "rays",
                        "count": "count", "met_pct": "met, %", "Mrays_s": "Mrays/s",
                        "ratio": ": Embree"})


def agree(args: argparse.Namespace) -> None:
    """Compares every renderer with Cycles and with Mitsuba."""
    rows, pictures = [], {}
    for scene in args.scenes:
        for job in all_jobs(args, scene):
            row, path = jobs.cached(job, args.out)
            rows.append(row)
            if "error" not in row:
                pictures[job.scene, job.renderer] = read_exr(path)
                write_png(str(args.out / f"agree-{job.scene}-{job.material}-{job.renderer}.png"),
                          pictures[job.scene, job.renderer])
    report.notes(rows)
    found = []
    for (scene, renderer), picture in pictures.items():
        for base in ("cycles", "mitsuba-llvm"):
            if base != renderer and (scene, base) in pictures:
                one = metrics.agreement(pictures[scene, base], picture)
                found.append({"scene": scene, "renderer": renderer, "against": base, **one})
                report.line(found[-1])
    for row in found:
        row["channels"] = " ".join(f"{one:.4f}" for one in row["channel_ratios"])
    report.table(found, {
        "scene": "scene", "renderer": "renderer", "against": "against", "mean_ratio": "mean",
        "channels": "red, green, blue", "block_median": "40 px blocks' median",
        "block_p05": "5 %", "block_p95": "95 %", "agrees": "agrees",
    })  # fmt: skip


def calibrated(job: Job, seconds: float) -> Job:
    """The job with as many samples as take this time; two renders of growing length tell."""
    spp = 8
    for _turn in range(2):
        row = jobs.run(job.with_(spp=spp))
        if "error" in row:
            raise SystemExit(f"{job.renderer} cannot be calibrated: {row['error']}")
        rate = spp / max(row["time_s"], 1e-3)
        spp = max(8, round(rate * min(seconds, 3.0)))
    return job.with_(spp=max(1, round(rate * seconds)))


def measured(job: Job, reference: Job, folder: Path) -> dict[str, Any]:
    """One picture's error against its own renderer's reference, of another seed.

    The reference's own noise adds spp / reference spp to the error; that is divided out.
    """
    row, path = jobs.cached(job, folder)
    known, truth = jobs.cached(reference, folder)
    if "error" in row or "error" in known:
        return {**row, "error": row.get("error", known.get("error"))}
    write_png(path[:-4] + ".png", read_exr(path))
    row |= metrics.noise(read_exr(truth), read_exr(path))
    row["reference_spp"] = reference.spp
    for name in ("relMSE", "relMSE_trim"):
        row[name] /= 1 + job.spp / reference.spp
    row["work"] = row["relMSE"] * row["time_s"]
    return row


def equal_time(args: argparse.Namespace) -> None:
    """Error after the same time of sampling."""
    rows = []
    for scene in args.scenes:
        for job in all_jobs(args, scene):
            timed = calibrated(job, args.seconds)
            reference = timed.with_(
                spp=round(timed.spp * args.reference_times), seed=REFERENCE_SEED, repeat=1
            )
            rows.append(measured(timed, reference, args.out))
            report.line(rows[-1])
    against_cycles(rows, "work", "less")
    report.notes(rows)
    report.table(rows, {
        "scene": "scene", "renderer": "renderer", "material": "material", "spp": "spp",
        "time_s": "s", "relMSE": "relMSE", "relMSE_trim": "without the worst 0.1 %",
        "flip": "FLIP", "ratio": "1 / (relMSE · s), : Cycles",
    })  # fmt: skip


def converge(args: argparse.Namespace) -> None:
    """Error at several sample counts."""
    rows = []
    for scene in args.scenes:
        for job in all_jobs(args, scene):
            reference = job.with_(spp=args.reference_spp, seed=REFERENCE_SEED, repeat=1)
            for spp in (int(one) for one in args.spps.split(",")):
                rows.append(measured(job.with_(spp=spp), reference, args.out))
                report.line(rows[-1])
    report.notes(rows)
    for row in rows:
        base = [one for one in rows if (one["scene"], one["spp"], one["renderer"]) ==
                (row["scene"], row["spp"], "cycles")]
        if base and "relMSE" in row and "relMSE" in base[0]:
            row["ratio"] = base[0]["relMSE"] / row["relMSE"]
    report.table(rows, {
        "scene": "scene", "renderer": "renderer", "spp": "spp", "time_s": "s",
        "relMSE": "relMSE", "relMSE_trim": "without the worst 0.1 %", "flip": "FLIP",
        "ratio": "1 / relMSE, : Cycles at this spp",
    })  # fmt: skip


def compare(args: argparse.Namespace) -> None:
    """Error of pictures."""
    reference, rows = read_exr(args.reference), []
    for path in args.pictures:
        picture = read_exr(path)
        found = metrics.noise(reference, picture) | metrics.agreement(reference, picture)
        rows.append({"picture": Path(path).name, **found})
        report.line(rows[-1])
    report.table(rows, {"picture": "picture", "relMSE": "relMSE", "flip": "FLIP",
                        "mean_ratio": "mean", "block_median": "blocks' median"})


def analytic(args: argparse.Namespace) -> None:
    """Renders scenes whose light is known."""
    rows = []
    for case in check.cases(args.out):
        for renderer in args.renderers.split(","):
            if renderer == "tessera" and not args.tessera:
                raise SystemExit("name the tessera program with --tessera")
            program = args.tessera if renderer == "tessera" else None
            job = case.job.with_(renderer=renderer, program=program, threads=args.threads)
            out = args.out / f"check-{job.scene}-{job.bounces}-{renderer}.exr"
            row = jobs.run(job.with_(out=str(out)))
            if "error" not in row:
                row |= case.judge(read_exr(str(out)))
            rows.append({**row, "case": case.name})
            report.line(rows[-1])
    report.notes(rows)
    report.table(rows, {"case": "case", "renderer": "renderer", "expected": "expected",
                        "found": "found", "mean_ratio": "mean ratio",
                        "pixels_p01": "pixels' 1 %", "pixels_p99": "99 %"})


def main() -> None:
    """Runs the command."""
    args = parser().parse_args()
    if args.command == "worker":
        worker(args.job)
        return
    if args.command != "compare":
        args.out.mkdir(parents=True, exist_ok=True)
        args.out = args.out.resolve()
    work = {"run": run, "speed": run, "rays": rays, "agree": agree, "equal-time": equal_time,
            "converge": converge, "check": analytic, "compare": compare}
    work[args.command](args)


if __name__ == "__main__":
    sys.exit(main())
