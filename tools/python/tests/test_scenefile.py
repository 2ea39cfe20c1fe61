from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

import tessera
from scenes import file, glb, gltf, textured
from tessera._core.scenefile import Source, collect, relative_name


def names(path: Path, **more: Any) -> list[str]:
    return [source.name for source in collect(path, **more).sources]


def test_a_uri_means_what_it_means_to_the_importer() -> None:
    def check(uri: str, expected: str | None) -> None:
        if expected is None:
            with pytest.raises(ValueError, match="which is"):
                relative_name(uri)
        else:
            assert relative_name(uri) == expected

    # The importer's own cases (renderer/scene/src/import/uri.rs).
    check("a.bin", "a.bin")
    check("./textures//a%20b.png", "textures/a b.png")
    check("ä.png", "ä.png")
    check("%C3%A4.png", "ä.png")
    for bad in [
        "../a.bin",
        "a/../../b",
        "%2e%2e/b",
        "a/%2E%2E/b",
        "/etc/passwd",
        "file:///etc/passwd",
        "https://example.org/a.bin",
        "C:\\a.bin",
        "..\\a.bin",
        "a%zz",
        "a%f",
        "%ff",
        "%00",
        "",
        "./",
    ]:
        check(bad, None)


def test_a_glb_is_one_file(tmp_path: Path) -> None:
    path = glb(tmp_path / "shot_010.glb", buffers=[{"byteLength": 4}])
    files = collect(path)
    assert files.root == "shot_010.glb"
    (root,) = files.sources
    assert b"".join(root.pieces()) == path.read_bytes()
    assert root.sha256() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_gltf_brings_its_buffers_images_and_environment(tmp_path: Path) -> None:
    around = {"extras": {"tessera": {"environment": {"file": "sky%20high.hdr"}}}}
    document = {
        **textured("textures/wood%20dark.png", "data:image/png;base64,AAAA", "./textures//b.png"),
        "buffers": [{"uri": "shot.bin"}, {"uri": "data:;base64,AAAA"}, {"byteLength": 1}],
        "scenes": [around],
    }
    path = gltf(tmp_path / "shot.gltf", **document)
    for name in ("textures/wood dark.png", "textures/b.png", "shot.bin", "sky high.hdr"):
        file(tmp_path / name)
    found = names(path)
    expected = ["shot.gltf", "textures/wood dark.png", "textures/b.png", "shot.bin"]
    assert found == [*expected, "sky high.hdr"]


def test_a_glb_may_bring_files_too(tmp_path: Path) -> None:
    path = glb(tmp_path / "a.glb", **textured("t.png"))
    file(tmp_path / "t.png")
    assert names(path) == ["a.glb", "t.png"]


def test_all_files_that_are_missing_are_named(tmp_path: Path) -> None:
    path = gltf(tmp_path / "a.gltf", **textured("x.png", "y.png"), buffers=[{"uri": "b.bin"}])
    file(tmp_path / "y.png")
    with pytest.raises(tessera.MissingFiles) as raised:
        collect(path)
    assert raised.value.missing == ("x.png", "b.bin")
    assert "names 2 files that are not there: x.png, b.bin" in str(raised.value)
    assert str(raised.value).endswith(str(path))
    with pytest.raises(tessera.MissingFiles) as raised:
        collect(path, options={"missing_textures": "magenta"})
    assert raised.value.missing == ("b.bin",)
    file(tmp_path / "b.bin")
    assert names(path, options={"missing_textures": "magenta"}) == ["a.gltf", "y.png", "b.bin"]


def test_what_the_importer_does_not_read_may_be_missing(tmp_path: Path) -> None:
    stand_in = {"uri": "gone.bin", "extensions": {"EXT_meshopt_compression": {"fallback": True}}}
    unused = {"images": [{"uri": "unused.png"}, {"uri": "http://example.org/x.png"}]}
    path = gltf(tmp_path / "a.gltf", buffers=[stand_in], **unused)
    assert names(path) == ["a.gltf"]
    # An extension's texture is used.
    basisu = {"extensions": {"KHR_texture_basisu": {"source": 0}}}
    path = gltf(tmp_path / "b.gltf", images=[{"uri": "t.ktx2"}], textures=[basisu])
    with pytest.raises(tessera.MissingFiles, match=r"t\.ktx2"):
        collect(path)


def test_nothing_is_taken_from_outside_unasked(tmp_path: Path) -> None:
    file(tmp_path / "secret.png")
    for uri in ("../secret.png", "%2e%2e/secret.png", str(tmp_path / "secret.png")):
        path = gltf(tmp_path / "scene" / "a.gltf", **textured(uri))
        with pytest.raises(tessera.SceneFileError, match="say allow_outside=True"):
            collect(path)
    for uri in ("file:///etc/passwd", "https://example.org/a.png", "C:\\a.png", "a%zz.png"):
        path = gltf(tmp_path / "scene" / "a.gltf", **textured(uri))
        for allow_outside in (False, True):
            with pytest.raises(tessera.SceneFileError, match=r"no file beside it|no valid path"):
                collect(path, allow_outside=allow_outside)


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_a_link_that_leads_out_is_outside(tmp_path: Path) -> None:
    file(tmp_path / "secret.png")
    path = gltf(tmp_path / "scene" / "a.gltf", **textured("link.png", "inner.png"))
    (tmp_path / "scene" / "link.png").symlink_to(tmp_path / "secret.png")
    file(tmp_path / "scene" / "real.png")
    (tmp_path / "scene" / "inner.png").symlink_to(tmp_path / "scene" / "real.png")
    with pytest.raises(tessera.SceneFileError, match=r"leads out of its folder: link\.png"):
        collect(path)
    assert names(path, allow_outside=True) == ["a.gltf", "link.png", "inner.png"]


def sent(source: Source) -> bytes:
    # In odd pieces, so that head and rest are seen apart.
    content = b"".join(source.read(begin, 7) for begin in range(0, source.size_bytes, 7))
    assert content == b"".join(source.pieces())
    return content


def test_files_from_outside_come_under_names_inside(tmp_path: Path) -> None:
    file(tmp_path / "lib" / "wood dark.png", b"wood")
    file(tmp_path / "lib" / "wood_dark.png", b"third wood")
    file(tmp_path / "lib2" / "wood dark.png", b"other wood")
    uris = (
        "../lib/wood%20dark.png",
        "../lib2/wood%20dark.png",
        "own.png",
        "../lib/wood%20dark.png",
        "../lib/wood_dark.png",
    )
    file(tmp_path / "scene" / "own.png")
    path = gltf(tmp_path / "scene" / "a.gltf", **textured(*uris))
    files = collect(path, allow_outside=True)
    root, *others = files.sources
    document = json.loads(sent(root))
    by_name = {source.name: sent(source) for source in others}
    told = [by_name[image["uri"]] for image in document["images"]]
    assert told == [b"wood", b"other wood", b"pixels", b"wood", b"third wood"]
    for name in by_name:
        assert relative_name(name) == name
    assert root.name == "a.gltf" and json.loads(path.read_text())["images"][0]["uri"] == uris[0]


def test_a_glb_keeps_its_binary_chunk_when_its_names_change(tmp_path: Path) -> None:
    file(tmp_path / "t.png")
    binary = bytes(range(40))
    path = glb(tmp_path / "scene" / "a.glb", binary=binary, **textured("../t.png"))
    root = collect(path, allow_outside=True).sources[0]
    content = sent(root)
    magic, version, total = struct.unpack_from("<4sII", content)
    assert (magic, version, total) == (b"glTF", 2, len(content))
    length, kind = struct.unpack_from("<I4s", content, 12)
    assert kind == b"JSON" and length % 4 == 0
    assert json.loads(content[20 : 20 + length])["images"][0]["uri"].startswith("outside/")
    rest = content[20 + length :]
    assert struct.unpack_from("<I4s", rest) == (40, b"BIN\0") and rest[8:] == binary
    # And one without a binary chunk.
    path = glb(tmp_path / "scene" / "b.glb", binary=b"", **textured("../t.png"))
    content = sent(collect(path, allow_outside=True).sources[0])
    assert struct.unpack_from("<4sII", content)[2] == len(content)


def test_an_environment_named_in_code_comes_along(tmp_path: Path) -> None:
    path = glb(tmp_path / "scene" / "a.glb")
    inside = file(tmp_path / "scene" / "hdri" / "sky 1%.hdr")
    outside = file(tmp_path / "library" / "sky.hdr")

    def check(told: str, name: str) -> None:
        options = {"environment": {"file": told, "strength": 2.0}}
        files = collect(path, options=options)
        around = files.options["environment"]
        assert around["strength"] == 2.0 and around["file"].startswith(name)
        assert around["file"] in [source.name for source in files.sources]
        # What the caller holds stays as it is.
        assert options["environment"]["file"] == told

    check("hdri/sky 1%.hdr", "hdri/sky 1%.hdr")
    check("../library/sky.hdr", "outside/")
    check(str(outside), "outside/")
    check(str(inside), "outside/")
    with pytest.raises(tessera.MissingFiles, match=r"gone\.hdr"):
        collect(path, options={"environment": {"file": "gone.hdr"}})
    # It stands in for the file's own, which then may be missing.
    around = {"extras": {"tessera": {"environment": {"file": "own.hdr"}}}}
    path = glb(tmp_path / "scene" / "b.glb", scenes=[around])
    assert names(path, options={"environment": {"file": "hdri/sky 1%.hdr"}})[1:] == [
        "hdri/sky 1%.hdr"
    ]
    with pytest.raises(tessera.MissingFiles, match=r"own\.hdr"):
        collect(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no glTF file"),
        (b"v 0 0 0\nf 1 2 3\n", "export it as glTF 2.0"),
        (b"{}", "no glTF file"),
        (b'{"asset": 1}', "no glTF file"),
        (b"[" * 100_000, "no glTF file"),
        (b"glTF", "ends in its header"),
        (struct.pack("<4sIII4s", b"glTF", 1, 20, 0, b"JSON"), "this is of version 1"),
        (struct.pack("<4sIII4s", b"glTF", 2, 20, 9, b"JSON") + b"{}", "ends in its JSON"),
        (struct.pack("<4sIII4s", b"glTF", 2, 20, 2**32 - 1, b"JSON"), "version 2 or damaged"),
    ],
)
def test_what_is_no_scene_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = file(tmp_path / "a.glb", content)
    with pytest.raises(tessera.SceneFileError, match=words):
        collect(path)


def test_odd_documents_are_borne(tmp_path: Path) -> None:
    odd: dict[str, Any] = {"images": [1, None, {}], "buffers": {}, "scenes": "x"}
    odd["textures"] = [{"source": "x", "extensions": []}, 3]
    assert names(gltf(tmp_path / "a.gltf", **odd)) == ["a.gltf"]
    path = tmp_path / "b.gltf"
    path.write_bytes(b'\xef\xbb\xbf{"asset": {"version": "2.0"}}')
    assert names(path) == ["b.gltf"]
    with pytest.raises(tessera.SceneFileError, match="no such scene file"):
        collect(tmp_path / "gone.glb")
    with pytest.raises(tessera.SceneFileError, match="names itself"):
        collect(gltf(tmp_path / "c.gltf", **textured("c.gltf")))


def test_a_file_that_shrinks_is_noticed(tmp_path: Path) -> None:
    path = file(tmp_path / "a.bin", b"0123456789")
    source = Source("a.bin", path, 10)
    path.write_bytes(b"0123")
    with pytest.raises(tessera.SceneFileError, match="changed while it was being sent"):
        source.read(0, 10)
    path.unlink()
    with pytest.raises(tessera.SceneFileError, match="cannot be read"):
        source.sha256()
