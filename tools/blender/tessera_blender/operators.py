# SPDX-License-Identifier: GPL-3.0-or-later
"""What people can do. Operators are thin: `session` decides, this module asks and shows."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import bpy

from . import describe, differences, export, facts, farm, frame, read, settings, show
from .session import Phase, Session

# How often the interface looks at what goes on.
LOOK_S = 0.2
# How long a script waits, at most.
SCRIPT_S = 24 * 3600.0

SESSION = Session()
# Folders of scenes that were sent.
_FOLDERS: list[Path] = []


def look(context: bpy.types.Context) -> facts.Scene:
    """Reads the scene and keeps what will be different."""
    known = read.scene(context)
    SESSION.checked(differences.find(known, context.scene.tessera.span))
    return known


def prepare(context: bpy.types.Context, known: facts.Scene) -> tuple[Path, dict[str, Any]]:
    """Writes the scene to a folder of its own; its file, and the job's description."""
    told = context.scene.tessera
    forget_folders()
    folder = Path(tempfile.mkdtemp(prefix="tessera-", dir=bpy.app.tempdir or None))
    _FOLDERS.append(folder)
    span = describe.frames_moving(known, told.span)
    sent = export.export(context, known, folder, span)
    blend = Path(bpy.data.filepath).stem
    job = describe.job(known, told.span, name=blend or known.name, samples=told.samples)
    return sent.root, job


def forget_folders() -> None:
    """Removes what was written for the farm."""
    while _FOLDERS:
        shutil.rmtree(_FOLDERS.pop(), ignore_errors=True)


def window(known: facts.Scene) -> frame.Rect | None:
    """What pictures are to show of the whole that Tessera renders."""
    return frame.frame(known.camera, known.picture).window if known.camera else None


class _Online:
    """An operator that asks the farm something."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can be used now."""
        if not bpy.app.online_access:
            cls.poll_message_set(settings.OFFLINE)
            return False
        return context.scene is not None


class TESSERA_OT_check(bpy.types.Operator):
    """Look for what will not be the same on the farm; nothing is sent"""

    bl_idname = "tessera.check"
    bl_label = "Check"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Looks."""
        look(context)
        found = SESSION.differences
        if stops := differences.stops(found):
            self.report({"WARNING"}, str(stops[0]))
        else:
            count = len(found)
            lines = "1 difference" if count == 1 else f"{count or 'No'} differences"
            self.report({"INFO"}, f"{lines} found")
        show.redraw(context)
        return {"FINISHED"}


class TESSERA_OT_submit(_Online, bpy.types.Operator):
    """Send the scene to the farm and ask for the price"""

    bl_idname = "tessera.submit"
    bl_label = "Render on Tessera…"

    max_cost: bpy.props.StringProperty(
        name="Limit",
        description="For scripts: order without asking, for so many tokens at most",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can be used now."""
        if SESSION.is_busy:
            cls.poll_message_set("A render is under way")
            return False
        return super().poll(context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Writes the scene, and asks while the interface goes on."""
        if not self._ask(context):
            return {"CANCELLED"}
        bpy.ops.tessera.watch("INVOKE_DEFAULT")
        return {"FINISHED"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """For scripts: asks, orders within `max_cost`, waits and loads the pictures."""
        try:
            limit = settings.limit(self.max_cost or context.scene.tessera.limit)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if limit is None:
            self.report({"ERROR"}, "A script must state its limit: max_cost=\"5.00\"")
            return {"CANCELLED"}
        if not self._ask(context):
            return {"CANCELLED"}
        wait()
        if SESSION.phase is Phase.PRICED:
            SESSION.order(limit)
            wait()
        if SESSION.phase is not Phase.DONE:
            self.report({"ERROR"}, SESSION.error or SESSION.text)
            return {"CANCELLED"}
        took(context)
        return {"FINISHED"}

    def _ask(self, context: bpy.types.Context) -> bool:
        known = look(context)
        if stops := differences.stops(SESSION.differences):
            self.report({"ERROR"}, str(stops[0]))
            return False
        if context.window is not None:
            context.window.cursor_set("WAIT")
        try:
            root, job = prepare(context, known)
        except (export.ExportError, OSError, ValueError) as error:
            self.report({"ERROR"}, str(error))
            return False
        finally:
            if context.window is not None:
                context.window.cursor_set("DEFAULT")
        folder = settings.folder(context.scene)
        SESSION.owner = context.scene.name
        SESSION.ask(settings.door(context), root, job, folder, window(known))
        return True


def wait() -> None:
    """For scripts: blocks until nothing is under way."""
    while SESSION.errand is not None:
        SESSION.errand.join(SCRIPT_S)
        SESSION.step()


def keep_job() -> None:
    """Keeps the job's id with the scene that it is of."""
    owner = bpy.data.scenes.get(SESSION.owner)
    if owner is not None and SESSION.course is not None and SESSION.course.id:
        owner.tessera.job = SESSION.course.id


def took(context: bpy.types.Context) -> bpy.types.Image | None:
    """Keeps the job's id, and shows its pictures."""
    keep_job()
    return show.pictures(context, SESSION.pictures)


class TESSERA_OT_watch(bpy.types.Operator):
    """Watch what goes on; Esc asks whether to leave it to the farm or to cancel it"""

    bl_idname = "tessera.watch"
    bl_label = "Watch Tessera"
    bl_options = {"INTERNAL"}

    _timer: Any = None

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Begins to look."""
        manager = context.window_manager
        self._timer = manager.event_timer_add(LOOK_S, window=context.window)
        manager.modal_handler_add(self)
        manager.progress_begin(0, 100)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Looks at each tick; everything but Esc is passed on."""
        if event.type == "ESC" and event.value == "PRESS":
            if SESSION.phase is Phase.PRICING:
                SESSION.stop()
                self.report({"INFO"}, "Stopped; nothing was ordered")
                return self._end(context)
            if SESSION.phase is Phase.RENDERING:
                bpy.ops.wm.call_menu(name=TESSERA_MT_leave.bl_idname)
                return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if SESSION.step():
            show.redraw(context)
            if SESSION.share is not None:
                context.window_manager.progress_update(int(SESSION.share * 100))
        keep_job()
        return {"PASS_THROUGH"} if SESSION.is_busy else self._end(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender closes, or opens another file; the farm goes on."""
        self._leave(context)
        if SESSION.phase is Phase.RENDERING:
            SESSION.detach()
        else:
            SESSION.stop()

    def _end(self, context: bpy.types.Context) -> set[str]:
        self._leave(context)
        if SESSION.phase is Phase.PRICED:
            if SESSION.error:
                self.report({"ERROR"}, SESSION.error)
            else:
                bpy.ops.tessera.order("INVOKE_DEFAULT")
        elif SESSION.phase is Phase.DONE:
            took(context)
            self.report({"INFO"}, SESSION.text)
        elif SESSION.phase is Phase.FAILED:
            self.report({"ERROR"}, SESSION.error)
        show.redraw(context)
        return {"FINISHED"}

    def _leave(self, context: bpy.types.Context) -> None:
        context.window_manager.progress_end()
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None


class TESSERA_OT_order(_Online, bpy.types.Operator):
    """Order the render for its price; what is not used returns"""

    bl_idname = "tessera.order"
    bl_label = "Order"

    limit: bpy.props.StringProperty(
        name="Limit", description="The most that it may cost, tokens", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can be used now."""
        if SESSION.phase is not Phase.PRICED:
            cls.poll_message_set("There is no price yet")
            return False
        return super().poll(context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Shows the price, and asks for the limit."""
        price = SESSION.price
        assert price is not None
        self.limit = context.scene.tessera.limit or farm.credits(price.tokens)
        return context.window_manager.invoke_props_dialog(
            self, title="Render on Tessera", confirm_text="Order", width=360)

    def draw(self, _context: bpy.types.Context) -> None:
        """Draws the dialog."""
        layout, price = self.layout, SESSION.price
        if price is None:
            return
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.label(text=f"It costs {farm.credits(price.tokens)} tokens at most")
        layout.label(text="Nothing is ordered above the limit; what is not used returns")
        layout.prop(self, "limit")
        count = len(SESSION.differences) + len(price.warnings)
        if count:
            layout.label(text=f"{count} differences are listed in the panel", icon="INFO")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Orders."""
        try:
            limit = settings.limit(self.limit)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if limit is None:
            self.report({"ERROR"}, "An order needs a limit")
            return {"CANCELLED"}
        SESSION.order(limit)
        if bpy.app.background:
            wait()
            took(context)
            return {"FINISHED"} if SESSION.phase is Phase.DONE else {"CANCELLED"}
        bpy.ops.tessera.watch("INVOKE_DEFAULT")
        return {"FINISHED"}


class TESSERA_OT_discard(bpy.types.Operator):
    """Forget the price; nothing is ordered"""

    bl_idname = "tessera.discard"
    bl_label = "Discard"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Forgets."""
        SESSION.discard()
        forget_folders()
        show.redraw(context)
        return {"FINISHED"}


class TESSERA_OT_open_job(_Online, bpy.types.Operator):
    """Watch a job again, and load its pictures"""

    bl_idname = "tessera.open_job"
    bl_label = "Open job"

    job: bpy.props.StringProperty(
        name="Job", description="The job's id; without it the scene's last", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can be used now."""
        if SESSION.is_busy:
            cls.poll_message_set("A render is under way")
            return False
        return super().poll(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begins to watch it; without an interface it waits for its end."""
        id = self.job or context.scene.tessera.job
        if not id:
            self.report({"ERROR"}, "This scene has had no job yet")
            return {"CANCELLED"}
        known = read.scene(context)
        SESSION.owner = context.scene.name
        SESSION.open(settings.door(context), id, settings.folder(context.scene), window(known))
        if bpy.app.background:
            wait()
            took(context)
            if SESSION.phase is Phase.DONE:
                return {"FINISHED"}
            self.report({"ERROR"}, SESSION.error or SESSION.text)
            return {"CANCELLED"}
        bpy.ops.tessera.watch("INVOKE_DEFAULT")
        return {"FINISHED"}


class TESSERA_OT_detach(bpy.types.Operator):
    """Stop watching; the farm goes on"""

    bl_idname = "tessera.detach"
    bl_label = "Leave it to the farm"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether it can be used now."""
        return SESSION.phase is Phase.RENDERING

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Stops watching."""
        SESSION.detach()
        show.redraw(context)
        return {"FINISHED"}


class TESSERA_OT_cancel(bpy.types.Operator):
    """Cancel the job on the farm; what is not used returns"""

    bl_idname = "tessera.cancel"
    bl_label = "Cancel the job"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether it can be used now."""
        return SESSION.phase is Phase.RENDERING

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Cancels; who watches sees what comes of it."""
        SESSION.cancel()
        show.redraw(context)
        return {"FINISHED"}


class TESSERA_MT_leave(bpy.types.Menu):
    """What Esc may mean"""

    bl_idname = "TESSERA_MT_leave"
    bl_label = "Your render goes on"

    def draw(self, _context: bpy.types.Context) -> None:
        """Draws it."""
        self.layout.operator(TESSERA_OT_detach.bl_idname, icon="LOOP_FORWARDS")
        self.layout.operator(TESSERA_OT_cancel.bl_idname, icon="CANCEL")


CLASSES = (
    TESSERA_OT_check, TESSERA_OT_submit, TESSERA_OT_watch, TESSERA_OT_order, TESSERA_OT_discard,
    TESSERA_OT_open_job, TESSERA_OT_detach, TESSERA_OT_cancel, TESSERA_MT_leave,
)


def register() -> None:
    """Makes Blender know them."""
    for one in CLASSES:
        bpy.utils.register_class(one)


def unregister() -> None:
    """Takes them back, and lets go of what is under way."""
    SESSION.stop()
    forget_folders()
    for one in reversed(CLASSES):
        bpy.utils.unregister_class(one)
