//! Paths in a template: with slashes, beside it.

/// Whether a path stays in the folder that it is taken from: it is not absolute on any system, and
/// climbs nowhere.
pub(crate) fn is_inside(path: &str) -> bool {
    let has_drive = path.as_bytes().get(1) == Some(&b':');
    let is_absolute = path.starts_with(['/', '\\', '~']) || has_drive || path.contains("://");
    !path.is_empty() && !is_absolute && path.split(['/', '\\']).all(|part| part != "..")
}

/// Whether a text is a scene's id and no file's name, as in a job file.
pub(crate) fn is_scene_id(text: &str) -> bool {
    text.starts_with("scn_") && !text.contains(['.', '/', '\\'])
}

/// A path without the parts that name the folder itself; what is absolute stays as it is.
pub(crate) fn tidied(path: &str) -> String {
    if !is_inside(path) {
        return path.to_owned();
    }
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    parts.collect::<Vec<_>>().join("/")
}

/// A file's name without its ending.
pub(crate) fn stem(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((stem, _ending)) if !stem.is_empty() => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_beside_the_template() {
        for path in ["shot.glb", "./shot.glb", "a/b/shot.glb", "a..b/..c", "-x.glb", "scn_0a"] {
            assert!(is_inside(path), "{path}");
        }
        let outside = [
            "",
            "/etc/passwd",
            "../shot.glb",
            "a/../../b",
            "a\\..\\b",
            "\\\\host\\share",
            "C:\\a",
            "c:a",
            "~/a",
            "s3://bucket/a",
        ];
        for path in outside {
            assert!(!is_inside(path), "{path}");
        }
        assert_eq!(tidied("./a//b/./c.glb"), "a/b/c.glb");
        assert_eq!(tidied("/a//b"), "/a//b");
        assert_eq!(
            (stem("a/shot.v2.glb"), stem("shot"), stem(".glb")),
            ("shot.v2", "shot", ".glb")
        );
    }
}
