"""How far two pictures are apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from gltf import Array

BLOCK_PX = 40


def relmse(reference: Array, image: Array, trim: float = 0.0) -> float:
    """mean((x - ref)² / (ref² + 0.01)) over pixels and channels.

    `trim` leaves out that share of the worst pixels, so that a few fireflies do not decide.
    """
    reference, image = reference.astype("f8"), image.astype("f8")
    error = ((image - reference) ** 2 / (reference**2 + 1e-2)).mean(-1).ravel()
    if trim:
        error = np.sort(error)[: int(len(error) * (1 - trim))]
    return float(error.mean())


def flip(reference: Array, image: Array) -> float:
    """The mean of HDR-FLIP at its standard 67 pixels a degree."""
    import flip_evaluator

    one, two = np.ascontiguousarray(reference), np.ascontiguousarray(image)
    return float(flip_evaluator.evaluate(one, two, "HDR", applyMagma=False)[1])


def noise(reference: Array, image: Array) -> dict[str, Any]:
    """Figures of a noisy picture against a converged one."""
    return {"relMSE": relmse(reference, image), "relMSE_trim": relmse(reference, image, 0.001),
            "flip": flip(reference, image), "mean_ratio": float(image.mean() / reference.mean())}


def blocks(image: Array) -> Array:
    """Means over blocks of 40 × 40 pixels and all channels; what is left at the edges is cut."""
    rows, columns = image.shape[0] // BLOCK_PX, image.shape[1] // BLOCK_PX
    cut = image[: rows * BLOCK_PX, : columns * BLOCK_PX].astype("f8")
    return cut.reshape(rows, BLOCK_PX, columns, BLOCK_PX, 3).mean((1, 3, 4)).ravel()


def agreement(reference: Array, image: Array) -> dict[str, Any]:
    """Ratios of means per channel, and of blocks' means: median, 5 % and 95 %.

    Blocks darker than a thousandth of the mean are left out.
    """
    mean = image.mean((0, 1), dtype="f8") / reference.mean((0, 1), dtype="f8")
    one, two = blocks(reference), blocks(image)
    lit = one > 1e-3 * one.mean()
    low, middle, high = np.percentile(two[lit] / one[lit], [5, 50, 95])
    total = float(image.mean(dtype="f8") / reference.mean(dtype="f8"))
    return {"mean_ratio": total, "channel_ratios": [float(one) for one in mean],
            "block_median": float(middle), "block_p05": float(low), "block_p95": float(high),
            "agrees": bool(abs(total - 1) <= 1e-3 and abs(middle - 1) <= 1e-2)}
