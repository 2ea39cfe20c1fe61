//! Intel Open Image Denoise, where it is installed: loaded when asked for, never required.
//!
//! # Source
//! The C interface of Open Image Denoise 2 (`oidn.h`), of which eleven functions are used.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr;

use super::{DenoiseError, Guides};
use crate::picture::Picture;

/// What the loader calls version 2 of the library.
const LIBRARY: &str = if cfg!(windows) {
    "OpenImageDenoise.dll"
} else if cfg!(target_os = "macos") {
    "libOpenImageDenoise.2.dylib"
} else {
    "libOpenImageDenoise.so.2"
};

/// Why Open Image Denoise cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OidnError {
    /// The loader does not find it, or it is no such library.
    #[error(
        "Open Image Denoise 2 is not installed where the system looks for libraries; install it \
         (Debian 12 has no package, openimagedenoise.org has archives) or name its file: \
         {}", library.display()
    )]
    Missing {
        /// What was looked for.
        library: PathBuf,
        /// What the loader says.
        #[source]
        source: libloading::Error,
    },
    /// It is there and makes no device: the processor is too old, or a part is missing.
    #[error("Open Image Denoise does not start: {message}")]
    Start {
        /// What it says.
        message: String,
    },
}

type Handle = *mut c_void;

/// The loaded library: its functions, which live as long as it is loaded.
#[derive(Debug)]
struct Api {
    new_device: unsafe extern "C" fn(kind: c_int) -> Handle,
    commit_device: unsafe extern "C" fn(device: Handle),
    device_int: unsafe extern "C" fn(device: Handle, name: *const c_char) -> c_int,
    device_error: unsafe extern "C" fn(device: Handle, message: *mut *const c_char) -> c_int,
    release_device: unsafe extern "C" fn(device: Handle),
    new_filter: unsafe extern "C" fn(device: Handle, kind: *const c_char) -> Handle,
    set_image: SetImage,
    set_bool: unsafe extern "C" fn(filter: Handle, name: *const c_char, value: bool),
    commit_filter: unsafe extern "C" fn(filter: Handle),
    execute_filter: unsafe extern "C" fn(filter: Handle),
    release_filter: unsafe extern "C" fn(filter: Handle),
    _library: libloading::Library,
}

/// `oidnSetSharedFilterImage`: memory, format, width, height, offset and strides, all in bytes.
type SetImage = unsafe extern "C" fn(
    filter: Handle,
    name: *const c_char,
    memory: *mut c_void,
    format: c_int,
    width: usize,
    height: usize,
    offset: usize,
    pixel_stride: usize,
    row_stride: usize,
);

/// `OIDN_DEVICE_TYPE_CPU`: the same picture on every machine's graphics card.
const CPU: c_int = 1;
/// `OIDN_FORMAT_FLOAT3`.
const FLOAT3: c_int = 3;

/// Open Image Denoise, ready to filter.
#[derive(Debug)]
pub struct Oidn {
    api: Api,
    device: Handle,
}

impl Oidn {
    /// Loads the library: this file, or what the system finds.
    ///
    /// Runs code of whatever file is named: never name one that a stranger chose.
    ///
    /// # Errors
    /// See [`OidnError`].
    #[expect(unsafe_code, reason = "a C library's functions are called")]
    pub fn open(library: Option<&Path>) -> Result<Self, OidnError> {
        let library = library.unwrap_or(Path::new(LIBRARY));
        let missing = |source| OidnError::Missing { library: library.to_owned(), source };
        // SAFETY: the library's own start-up code is trusted as much as the program's user, who
        // installed or named it.
        let loaded = unsafe { libloading::Library::new(library) }.map_err(missing)?;
        // SAFETY: the signatures are those of oidn.h 2, and the symbols of version 2 alone.
        let api = unsafe { Api::of(loaded) }.map_err(missing)?;
        // SAFETY: no device exists yet; a null device means that it failed.
        let device = unsafe { (api.new_device)(CPU) };
        let oidn = Self { api, device };
        if !device.is_null() {
            // SAFETY: the device is alive until `oidn` is dropped.
            unsafe { (oidn.api.commit_device)(device) };
        }
        match oidn.error() {
            Some(message) => Err(OidnError::Start { message }),
            None if device.is_null() => {
                Err(OidnError::Start { message: "it gives no reason".to_owned() })
            }
            None => Ok(oidn),
        }
    }

    /// The name that files and people get to see: `Open Image Denoise 2.3.3`.
    #[must_use]
    #[expect(unsafe_code, reason = "a C library's functions are called")]
    pub fn name(&self) -> String {
        // SAFETY: the device is alive and the name ends in a zero byte.
        let version = unsafe { (self.api.device_int)(self.device, c"version".as_ptr()) };
        let (major, minor, patch) = (version / 10_000, version / 100 % 100, version % 100);
        format!("Open Image Denoise {major}.{minor}.{patch}")
    }

    /// Takes the noise out of the beauty, guided by albedo and normal; all else stays.
    ///
    /// # Errors
    /// [`DenoiseError::NoLayer`], [`DenoiseError::Library`].
    #[expect(unsafe_code, reason = "a C library's functions are called")]
    pub fn denoise(&self, picture: &Picture) -> Result<Picture, DenoiseError> {
        let guides = Guides::of(picture)?;
        let clean = |values: &[[f32; 3]]| -> Vec<[f32; 3]> {
            values.iter().map(|value| value.map(super::finite)).collect()
        };
        let mut images = [
            (c"color", clean(&picture.beauty)),
            (c"albedo", clean(guides.albedo)),
            (c"normal", clean(guides.normal)),
            (c"output", picture.beauty.clone()),
        ];
        let (width, height) = (picture.size.width as usize, picture.size.height as usize);
        if width * height == 0 {
            return Ok(picture.clone());
        }
        // SAFETY: device and filter are alive; each image is width · height · 3 tightly packed
        // floats, in memory that outlives the filter and that nothing else touches meanwhile.
        unsafe {
            let filter = (self.api.new_filter)(self.device, c"RT".as_ptr());
            if !filter.is_null() {
                for (name, values) in &mut images {
                    assert_eq!(values.len(), width * height, "a picture has one size");
                    let memory = values.as_mut_ptr().cast();
                    (self.api.set_image)(
                        filter,
                        name.as_ptr(),
                        memory,
                        FLOAT3,
                        width,
                        height,
                        0,
                        0,
                        0,
                    );
                }
                (self.api.set_bool)(filter, c"hdr".as_ptr(), true);
                (self.api.commit_filter)(filter);
                (self.api.execute_filter)(filter);
                (self.api.release_filter)(filter);
            }
        }
        if let Some(message) = self.error() {
            return Err(DenoiseError::Library { message });
        }
        let [.., (_, mut beauty)] = images;
        for (rgb, &samples) in beauty.iter_mut().zip(&picture.samples) {
            // What is missing stays missing.
            if samples == 0 {
                *rgb = [0.0; 3];
            }
        }
        Ok(Picture { beauty, ..picture.clone() })
    }

    /// What went wrong since this was asked last.
    #[expect(unsafe_code, reason = "a C library's functions are called")]
    fn error(&self) -> Option<String> {
        let mut message = ptr::null();
        // SAFETY: a null device asks why none could be made; the message is null or a text that
        // lives until the next call.
        unsafe {
            if (self.api.device_error)(self.device, &raw mut message) == 0 {
                return None;
            }
            let message =
                if message.is_null() { c"no reason given" } else { CStr::from_ptr(message) };
            Some(message.to_string_lossy().into_owned())
        }
    }
}

impl Drop for Oidn {
    #[expect(unsafe_code, reason = "a C library's functions are called")]
    fn drop(&mut self) {
        if !self.device.is_null() {
            // SAFETY: the device is alive, and nothing uses it afterwards.
            unsafe { (self.api.release_device)(self.device) };
        }
    }
}

impl Api {
    /// Finds the functions.
    ///
    /// # Safety
    /// The library's functions must have the signatures of oidn.h 2.
    #[expect(unsafe_code, reason = "a C library's functions are called")]
    unsafe fn of(library: libloading::Library) -> Result<Self, libloading::Error> {
        // SAFETY: as this function asks for.
        unsafe {
            Ok(Self {
                new_device: *library.get(b"oidnNewDevice\0")?,
                commit_device: *library.get(b"oidnCommitDevice\0")?,
                device_int: *library.get(b"oidnGetDeviceInt\0")?,
                device_error: *library.get(b"oidnGetDeviceError\0")?,
                release_device: *library.get(b"oidnReleaseDevice\0")?,
                new_filter: *library.get(b"oidnNewFilter\0")?,
                set_image: *library.get(b"oidnSetSharedFilterImage\0")?,
                set_bool: *library.get(b"oidnSetFilterBool\0")?,
                commit_filter: *library.get(b"oidnCommitFilter\0")?,
                execute_filter: *library.get(b"oidnExecuteFilter\0")?,
                release_filter: *library.get(b"oidnReleaseFilter\0")?,
                _library: library,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_not_there_is_named_with_what_to_do() {
        let error = Oidn::open(Some(Path::new("/none/libOpenImageDenoise.so.2")));
        let message = error.expect_err("no such file").to_string();
        assert!(message.contains("install it"), "{message}");
        assert!(message.ends_with("/none/libOpenImageDenoise.so.2"), "{message}");
    }
}
