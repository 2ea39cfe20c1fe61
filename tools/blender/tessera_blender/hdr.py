# SPDX-License-Identifier: GPL-3.0-or-later
"""Radiance HDR files: three bytes of mantissa and one exponent a pixel, run lengths a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

# Lines outside of this range of widths are not packed (Radiance's `color.c`).
PACKED_MIN, PACKED_MAX = 8, 0x7FFF


def write(path: Path, pixels: np.ndarray) -> None:
    """Writes linear RGB, [height][width][3], the upper line first."""
    height, width, _ = pixels.shape
    with path.open("wb") as file:
        file.write(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n" % (height, width))
        for row in pixels:
            line = encode(row)
            if PACKED_MIN <= width <= PACKED_MAX:
                file.write(bytes((2, 2, width >> 8, width & 255)))
                # Packed as they are: a run would save bytes, and skies have none.
                for channel in line.T:
                    file.write(literal(channel.tobytes()))
            else:
                file.write(line.tobytes())


def literal(values: bytes) -> bytes:
    """Bytes without runs, in pieces of at most 128."""
    pieces = (values[at:at + 128] for at in range(0, len(values), 128))
    return b"".join(bytes((len(piece),)) + piece for piece in pieces)


def encode(pixels: np.ndarray) -> np.ndarray:
    """RGBE bytes, four for three numbers; what is below 0 or no number becomes black."""
    rgb = np.nan_to_num(pixels, nan=0.0, posinf=3e38, neginf=0.0).clip(0.0, 1e38)
    largest = rgb.max(axis=-1)
    mantissa, exponent = np.frexp(largest)
    del mantissa
    # The largest channel is rounded to at most 255.
    steps = np.ldexp(np.float64(1), 8 - exponent)
    steps = np.where(np.rint(largest * steps) > 255, steps / 2, steps)
    exponent = np.where(np.rint(largest * np.ldexp(np.float64(1), 8 - exponent)) > 255,
                        exponent + 1, exponent)
    told = np.zeros((*largest.shape, 4), np.uint8)
    told[..., :3] = np.rint(rgb * steps[..., None])
    told[..., 3] = np.clip(exponent + 128, 0, 255)
    # Below the smallest exponent, and black itself.
    told[(largest < 1e-32) | (exponent < -127)] = 0
    return told


def decode(told: np.ndarray) -> np.ndarray:
    """Linear RGB of RGBE bytes."""
    scale = np.ldexp(1.0, told[..., 3].astype(int) - 136)
    return told[..., :3] * np.where(told[..., 3] == 0, 0.0, scale)[..., None]
