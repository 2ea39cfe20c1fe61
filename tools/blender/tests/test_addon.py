# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on in Blender, as far as it can be tried without a window."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest

import scenes
import tessera_blender
from conftest import PYTHON
from tessera_blender import farm, operators, panel, settings, show
from tessera_blender.errand import Progress
from tessera_blender.session import Phase

sys.path.insert(0, str(PYTHON / "tests"))


def online() -> None:
    """Scenes begin with Blender's own settings, which are offline."""
    bpy.context.preferences.system.use_online_access = True


def test_it_is_switched_on_and_off_twice() -> None:
    for _ in range(2):
        tessera_blender.register()
        assert hasattr(bpy.types, "TESSERA_PT_submit") and bpy.context.scene.tessera.span == "STILL"
        assert bpy.types.TESSERA_PT_submit.bl_context == "output"
        tessera_blender.unregister()
        assert not hasattr(bpy.types, "TESSERA_PT_submit")
        assert not hasattr(bpy.types.Scene, "tessera")


def test_offline_nothing_is_asked(blender: None) -> None:
    ops = bpy.ops.tessera
    assert ops.submit.poll() and ops.open_job.poll() and ops.check.poll()
    bpy.context.preferences.system.use_online_access = False
    assert ops.check.poll()
    assert not ops.submit.poll() and not ops.open_job.poll()
    with pytest.raises(RuntimeError, match="offline"):
        ops.submit()


def test_operators_wait_for_their_turn(blender: None) -> None:
    ops = bpy.ops.tessera
    assert not ops.order.poll() and not ops.cancel.poll() and not ops.detach.poll()
    operators.SESSION.phase = Phase.RENDERING
    assert not ops.submit.poll() and not ops.open_job.poll()
    assert ops.cancel.poll() and ops.detach.poll()
    operators.SESSION.phase = Phase.PRICED
    assert ops.order.poll() and ops.submit.poll()


def test_check_lists_and_sends_nothing(blender: None) -> None:
    scenes.fresh()
    assert bpy.ops.tessera.check() == {"FINISHED"}
    online()
    assert "no camera" in operators.SESSION.differences[0].text
    with pytest.raises(RuntimeError, match="no camera"):
        bpy.ops.tessera.submit(max_cost="1")


def test_a_script_states_its_limit(blender: None) -> None:
    scenes.fresh()
    scenes.camera()
    online()
    with pytest.raises(RuntimeError, match="limit"):
        bpy.ops.tessera.submit()
    with pytest.raises(RuntimeError, match="number of tokens"):
        bpy.ops.tessera.submit(max_cost="much")


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e", "five"])
def test_what_is_no_amount_is_no_limit(text: str) -> None:
    with pytest.raises(ValueError, match="number of tokens"):
        settings.limit(text)


def test_limits_are_read_as_people_write_them() -> None:
    assert str(settings.limit(" 5.00 ")) == "5.00" and str(settings.limit("3,2")) == "3.2"
    assert settings.limit("") is None


class Layout:
    """Stands in for Blender's, and keeps what is drawn; what it does not know is an error."""

    def __init__(self, drawn: list[str]) -> None:
        self.drawn = drawn
        self.use_property_split = self.use_property_decorate = self.enabled = True
        self.scale_y = 1.0

    def _same(self, **_how: Any) -> Layout:
        return self

    column = row = box = _same

    def label(self, *, text: str, icon: str = "NONE") -> None:
        assert icon in ICONS, icon
        self.drawn.append(text)

    def prop(self, owner: Any, name: str, **how: Any) -> None:
        assert name in owner.bl_rna.properties, name
        assert how.get("icon", "NONE") in ICONS
        self.drawn.append(how.get("text", name))

    def operator(self, name: str, *, icon: str = "NONE") -> None:
        area, operator = name.split(".")
        assert icon in ICONS and hasattr(getattr(bpy.ops, area), operator)
        getattr(getattr(bpy.ops, area), operator).get_rna_type()
        self.drawn.append(name)

    def progress(self, *, factor: float, text: str) -> None:
        assert 0 <= factor <= 1
        self.drawn.append(text)


ICONS = {one.identifier for one in
         bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items}


def drawn() -> list[str]:
    found: list[str] = []
    panel.draw(Layout(found), bpy.context, operators.SESSION)
    return found


def test_the_panel_is_drawn_in_every_phase(blender: None) -> None:
    scenes.fresh()
    scenes.camera()
    scenes.add(bpy.data.volumes.new("Cloud"), "Cloud")
    bpy.ops.tessera.check()
    session = operators.SESSION
    told = drawn()
    assert "tessera.submit" in told and "Will not be in the picture" in told and "Cloud" in told
    session.price = farm.Price("scn_1", Decimal("3.2"), 1, 0, 1,
                               ("A light has a range",))
    session.course = farm.Course("job_1", "shot", "rendering", "", 0.5, 2, 4)
    bpy.context.scene.tessera.job = "job_1"
    for phase in Phase:
        session.phase, session.share = phase, 0.5 if phase is Phase.RENDERING else None
        session.text = "Rendering, 2 of 4 tiles" if phase is Phase.RENDERING else ""
        session.error = "It is away" if phase is Phase.FAILED else ""
        told = drawn()
        if phase is Phase.PRICED:
            assert "3.20 tokens at most" in told and "A light has a range" in told
        if phase is Phase.RENDERING:
            assert "Rendering, 2 of 4 tiles" in told and "tessera.cancel" in told
        if phase is Phase.FAILED:
            assert "It is away" in told


def test_offline_the_panel_says_so(blender: None) -> None:
    bpy.context.preferences.system.use_online_access = False
    assert any("offline" in one for one in drawn())


def test_the_dialog_and_the_preferences_are_drawn(blender: None) -> None:
    operators.SESSION.price = farm.Price("scn_1", Decimal("3.2"), 1, 1, 1)
    found: list[str] = []
    owner = SimpleNamespace(layout=Layout(found), bl_rna=SimpleNamespace(
        properties={"limit", "url", "token"}), limit="3.20", url="http://farm.example", token="")
    operators.TESSERA_OT_order.draw(owner, bpy.context)
    settings.TESSERA_AP_preferences.draw(owner, bpy.context)
    assert "It costs 3.20 tokens at most" in found
    assert any("unencrypted" in one for one in found)


class Watch:
    """Calls the modal operator as Blender would, without a window."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reports: list[str] = []
        self.asked: list[str] = []
        self.owner = SimpleNamespace(
            _timer="timer", report=lambda _kind, text: self.reports.append(text),
            _leave=lambda context: operators.TESSERA_OT_watch._leave(self.owner, context),
            _end=lambda context: operators.TESSERA_OT_watch._end(self.owner, context))
        manager = SimpleNamespace(
            windows=(), progress_update=lambda value: self.asked.append(f"progress {value}"),
            progress_end=lambda: self.asked.append("end"),
            event_timer_remove=lambda timer: self.asked.append(f"remove {timer}"))
        self.context = SimpleNamespace(window_manager=manager, scene=bpy.context.scene)
        ops = SimpleNamespace(
            wm=SimpleNamespace(call_menu=lambda name: self.asked.append(name)),
            tessera=SimpleNamespace(order=lambda how: self.asked.append(f"order {how}")))
        monkeypatch.setattr(operators, "bpy", SimpleNamespace(
            ops=ops, data=bpy.data, app=bpy.app, types=bpy.types))

    def __call__(self, kind: str = "TIMER", value: str = "NOTHING") -> set[str]:
        event = SimpleNamespace(type=kind, value=value)
        return operators.TESSERA_OT_watch.modal(self.owner, self.context, event)


class Going:
    """An errand that goes on until it is told what came of it."""

    def __init__(self) -> None:
        self.is_over, self.error, self.result, self.stopped = False, None, None, False
        self.told: Any = None

    def news(self) -> Any:
        told, self.told = self.told, None
        return told

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def watch(blender: None, monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


def begin(phase: Phase) -> Going:
    going = Going()
    operators.SESSION.phase, operators.SESSION._errand = phase, going
    return going


def test_the_watch_passes_everything_on_and_shows_progress(watch: Watch) -> None:
    going = begin(Phase.RENDERING)
    assert watch("MOUSEMOVE") == watch() == {"PASS_THROUGH"} and not watch.asked
    going.told = Progress("Rendering, 1 of 4 tiles", 0.25)
    operators.SESSION.owner = bpy.context.scene.name
    operators.SESSION.course = farm.Course("job_7", "shot", "rendering")
    assert watch() == {"PASS_THROUGH"} and watch.asked == ["progress 25"]
    assert bpy.context.scene.tessera.job == "job_7"


def test_esc_asks_while_it_renders_and_stops_while_it_is_sent(watch: Watch) -> None:
    begin(Phase.RENDERING)
    assert watch("ESC", "PRESS") == {"RUNNING_MODAL"}
    assert watch.asked == ["TESSERA_MT_leave"] and operators.SESSION.is_busy
    # Whether an order arrives is not left open.
    going = begin(Phase.ORDERING)
    assert watch("ESC", "PRESS") == {"PASS_THROUGH"} and not going.stopped
    going = begin(Phase.PRICING)
    assert watch("ESC", "PRESS") == {"FINISHED"}
    assert going.stopped and "nothing was ordered" in watch.reports[0]
    assert watch.asked[-2:] == ["end", "remove timer"]


def test_a_price_opens_the_dialog(watch: Watch) -> None:
    going = begin(Phase.PRICING)
    going.is_over, going.result = True, farm.Price("scn_1", Decimal("3.2"), 1, 1, 1)
    assert watch() == {"FINISHED"}
    assert watch.asked[-1] == "order INVOKE_DEFAULT" and not watch.reports


def test_what_goes_wrong_is_reported_once(watch: Watch) -> None:
    going = begin(Phase.PRICING)
    going.is_over, going.error = True, ValueError("the door has a URL")
    assert watch() == {"FINISHED"} and watch.reports == ["the door has a URL"]


def test_another_file_leaves_the_job_to_the_farm(watch: Watch) -> None:
    going = begin(Phase.RENDERING)
    operators.TESSERA_OT_watch.cancel(watch.owner, watch.context)
    assert going.stopped and operators.SESSION.phase is Phase.IDLE


@contextlib.contextmanager
def open_door(folder: Path) -> Iterator[Any]:
    doors = pytest.importorskip("door", reason="the Python package's test door is not there")
    from test_files import write_exr

    door = doors.Door()
    write_exr(folder / "film.exr", (64, 36))
    door.film = (folder / "film.exr").read_bytes()
    door.job.update(status="done", progress=1.0, tiles_accepted=4,
                    frames={"first": 5, "last": 5, "step": 1})
    try:
        yield door
        assert not door.mistakes, door.mistakes
    finally:
        door.close()


def test_a_scripts_render_goes_from_the_scene_to_the_image(
    blender: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes.studio(tmp_path)
    online()
    bpy.context.scene.tessera.folder = str(tmp_path / "out")
    with open_door(tmp_path) as door:
        monkeypatch.setenv("TESSERA_API", door.url)
        monkeypatch.setenv("TESSERA_TOKEN", "tes_test")
        assert bpy.ops.tessera.submit(max_cost="5.00") == {"FINISHED"}
        (order,) = door.orders.values()
        assert order["max_cost"] == "5.000000" and order["cameras"] == ["shot_cam"]
        assert order["size"] == [64, 36] and order["frames"] == {"first": 5, "last": 5, "step": 1}
        assert set(door.scene) == {"scene.glb", "sky.hdr"}
        assert bpy.context.scene.tessera.job == "job_1"
        (picture,) = operators.SESSION.pictures
        image = next(one for one in bpy.data.images if one.filepath == str(picture))
        assert tuple(image.size) == (64, 36) and image.is_float
        # Again, for the same file: one image, read anew.
        assert bpy.ops.tessera.open_job() == {"FINISHED"}
        assert sum(one.filepath == str(picture) for one in bpy.data.images) == 1


def test_a_range_is_loaded_as_a_sequence(blender: None, tmp_path: Path) -> None:
    from test_files import write_exr

    paths = [tmp_path / f"shot.{number:04}.exr" for number in (1, 2, 3)]
    for path in paths:
        write_exr(path)
    image = show.pictures(bpy.context, paths)
    assert image is not None and image.source == "SEQUENCE"
    assert show.pictures(bpy.context, []) is None


def test_pictures_of_a_file_that_was_never_saved_have_a_place(blender: None) -> None:
    assert settings.folder(bpy.context.scene).is_absolute()
    bpy.context.scene.tessera.folder = "/pictures"
    assert settings.folder(bpy.context.scene) == Path("/pictures")
