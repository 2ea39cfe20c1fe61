# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that the add-on writes by itself: Radiance HDR, binary glTF, the windows of an EXR."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tessera_blender import exr, glb, hdr


def test_radiance_keeps_a_hundredth_of_the_brightest_channel() -> None:
    random = np.random.default_rng(1)
    pixels = 10.0 ** random.uniform(-6, 6, (50, 40, 3))
    back = hdr.decode(hdr.encode(pixels))
    assert (np.abs(back - pixels) <= pixels.max(-1, keepdims=True) / 128 / 2).all()


@pytest.mark.parametrize("value", [0.0, 1.0, 0.999, 0.9999999, 255 / 256, 1e-3, 1e30, 1e38])
def test_radiance_has_no_bias(value: float) -> None:
    back = hdr.decode(hdr.encode(np.full((1, 1, 3), value)))
    assert back == pytest.approx(value, rel=1 / 256)


def test_radiance_bears_what_is_no_light() -> None:
    told = hdr.encode(np.array([[[np.nan, -1.0, np.inf]]]))
    assert told[0, 0, 0] == told[0, 0, 1] == 0 and told[0, 0, 2] > 0
    assert hdr.encode(np.zeros((1, 1, 3))).tolist() == [[[0, 0, 0, 0]]]


@pytest.mark.parametrize("width", [4, 8, 130, 300])
def test_blender_reads_what_we_write(tmp_path: Path, width: int) -> None:
    import bpy

    random = np.random.default_rng(2)
    pixels = 10.0 ** random.uniform(-2, 2, (6, width, 3))
    hdr.write(tmp_path / "sky.hdr", pixels)
    image = bpy.data.images.load(str(tmp_path / "sky.hdr"))
    read = np.array(image.pixels[:]).reshape(6, width, image.channels)[::-1, :, :3]
    assert np.allclose(read, hdr.decode(hdr.encode(pixels)), rtol=0.01, atol=1e-3)


def test_a_glb_comes_back_with_what_was_added(tmp_path: Path) -> None:
    file = glb.Glb({"asset": {"version": "2.0"}, "buffers": [{"byteLength": 3}]}, bytearray(b"abc"))
    scalar = file.add_floats([[0.5], [1.5]], "SCALAR")
    color = file.add_floats([[1, 2, 3], [4, 5, 6]], "VEC3")
    glb.write(tmp_path / "a.glb", file)
    back = glb.read(tmp_path / "a.glb")
    assert back.document["accessors"][scalar]["max"] == [1.5]
    accessor = back.document["accessors"][color]
    view = back.document["bufferViews"][accessor["bufferView"]]
    assert view["byteOffset"] % 4 == 0 and accessor["count"] == 2
    assert struct.unpack_from("<6f", back.bytes, view["byteOffset"]) == (1, 2, 3, 4, 5, 6)
    assert bytes(back.bytes[:3]) == b"abc"
    assert back.document["buffers"][0]["byteLength"] == len(back.bytes)


@pytest.mark.parametrize("content", [b"", b"glTF", b"x" * 40])
def test_what_is_no_glb_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.glb").write_bytes(content)
    with pytest.raises(glb.NotGlb):
        glb.read(tmp_path / "a.glb")


def write_exr(path: Path, size: tuple[int, int] = (6, 4)) -> None:
    import OpenEXR

    values = np.arange(size[0] * size[1], dtype=np.float32).reshape(size[1], size[0])
    header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}
    OpenEXR.File(header, {"RGB": np.stack([values] * 3, axis=-1)}).write(str(path))


def test_the_display_window_moves_no_pixel(tmp_path: Path) -> None:
    path = tmp_path / "a.exr"
    write_exr(path)
    before = path.read_bytes()
    exr.show(path, (-3, 2, 20, 10))
    assert exr.windows(path) == {"dataWindow": (0, 0, 6, 4), "displayWindow": (-3, 2, 20, 10)}
    after = path.read_bytes()
    assert sum(a != b for a, b in zip(before, after, strict=True)) <= 16
    exr.show(path, (0, 0, 6, 4))
    assert path.read_bytes() == before


def test_blender_shows_the_data_window(tmp_path: Path) -> None:
    """Whatever the display window says (Blender 4.5), so that a shifted lens shows its part."""
    import bpy
    import OpenEXR

    path = tmp_path / "b.exr"
    values = np.array([[9, 10, 11], [15, 16, 17]], dtype=np.float32)
    header = {
        "type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION,
        "dataWindow": (np.array([3, 1], np.int32), np.array([5, 2], np.int32)),
        "displayWindow": (np.array([0, 0], np.int32), np.array([19, 9], np.int32)),
    }
    OpenEXR.File(header, {"RGB": np.stack([values] * 3, axis=-1)}).write(str(path))
    assert exr.windows(path)["dataWindow"] == (3, 1, 3, 2)
    exr.show(path, (3, 1, 3, 2))
    image = bpy.data.images.load(str(path))
    assert tuple(image.size) == (3, 2)
    shown = np.array(image.pixels[:]).reshape(2, 3, image.channels)
    assert shown[::-1, :, 0].tolist() == values.tolist()


@pytest.mark.parametrize("content", [b"", b"no", struct.pack("<II", 20000630, 2) + b"a" * 400,
                                     struct.pack("<II", 20000630, 2 | 0x1000) + b"\0" * 40])
def test_what_is_no_exr_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.exr").write_bytes(content)
    with pytest.raises(exr.NotExr):
        exr.windows(tmp_path / "a.exr")
