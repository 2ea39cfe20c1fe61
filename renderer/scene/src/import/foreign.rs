//! Other formats by their first bytes, so that who brings one is told what to do.

/// A format that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// What the file is.
    pub name: &'static str,
    /// What to do instead.
    pub advice: &'static str,
}

const EXPORT: &str = "export it as glTF 2.0 (.glb) from the program that made it";
const BLENDER: &str = "in Blender, File > Export > glTF 2.0 writes a .glb";
const VOLUME: &str = "volumes are not rendered yet";

/// First bytes, what they are the first of, and what to do.
const MAGICS: [(&[u8], &str, &str); 14] = [
    (b"BLENDER", "a Blender file", BLENDER),
    (b"\x28\xb5\x2f\xfd", "compressed, as Blender files are", BLENDER),
    (b"\x1f\x8b", "compressed, as older Blender files are", BLENDER),
    (b"PXR-USDC", "USD", EXPORT),
    (b"#usda", "USD", EXPORT),
    (b"PK\x03\x04", "a ZIP archive, as USDZ is", EXPORT),
    (b"Kaydara FBX", "FBX", EXPORT),
    (b"; FBX", "FBX", EXPORT),
    (b"Ogawa", "Alembic", EXPORT),
    (b"\x89HDF", "HDF5, as older Alembic files are", EXPORT),
    (b" BDV", "an OpenVDB volume", VOLUME),
    (b"ply\n", "PLY", EXPORT),
    (b"ply\r", "PLY", EXPORT),
    (b"solid ", "STL", EXPORT),
];

impl Foreign {
    /// What a file is that is not glTF, where its first bytes tell.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let magic = MAGICS.iter().find(|(magic, ..)| bytes.starts_with(magic));
        if let Some(&(_, name, advice)) = magic {
            return Some(Self { name, advice });
        }
        let mut lines = bytes.split(|&byte| byte == b'\n').take(64);
        let is_obj = lines.any(|line| line.starts_with(b"v ") || line.starts_with(b"mtllib "));
        is_obj.then_some(Self { name: "Wavefront OBJ", advice: EXPORT })
    }
}
