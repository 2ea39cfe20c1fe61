//! Quantities of many paths in columns: one array a number, so that plain loops over paths become
//! vectors.

use crate::math::{Vec3, vec3};

/// Paths of a block of columns: enough for any vector, few enough for a core's first cache.
pub const BLOCK: usize = 64;

/// Numbers of a block's paths.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub struct Column<T>(pub [T; BLOCK]);

impl<T: Copy + Default> Default for Column<T> {
    fn default() -> Self {
        Self([T::default(); BLOCK])
    }
}

/// What is kept in columns. Paths are below [`BLOCK`].
pub trait Columnar: Copy {
    /// Its columns.
    type Columns: Default;

    /// That of path `at`.
    fn get(columns: &Self::Columns, at: usize) -> Self;

    /// Puts that of path `at`.
    fn set(self, columns: &mut Self::Columns, at: usize);
}

impl Columnar for f32 {
    type Columns = Column<f32>;

    #[inline(always)]
    fn get(columns: &Self::Columns, at: usize) -> Self {
        columns.0[at]
    }

    #[inline(always)]
    fn set(self, columns: &mut Self::Columns, at: usize) {
        columns.0[at] = self;
    }
}

impl Columnar for bool {
    type Columns = Column<u32>;

    #[inline(always)]
    fn get(columns: &Self::Columns, at: usize) -> Self {
        columns.0[at] != 0
    }

    #[inline(always)]
    fn set(self, columns: &mut Self::Columns, at: usize) {
        columns.0[at] = u32::from(self);
    }
}

impl Columnar for Vec3 {
    type Columns = [Column<f32>; 3];

    #[inline(always)]
    fn get([x, y, z]: &Self::Columns, at: usize) -> Self {
        vec3(f32::get(x, at), f32::get(y, at), f32::get(z, at))
    }

    #[inline(always)]
    fn set(self, [x, y, z]: &mut Self::Columns, at: usize) {
        self.x.set(x, at);
        self.y.set(y, at);
        self.z.set(z, at);
    }
}

/// A number of paths of a block, rounded up to whole vectors: what lies beyond the last path is
/// computed and never looked at.
#[inline(always)]
#[must_use]
pub fn whole(count: usize) -> usize {
    count.next_multiple_of(16).min(BLOCK)
}

/// Declares a function that runs as the machine's vectors allow: its first argument will be how
/// the trees are walked, which says what was detected.
///
/// Its loops are plain; what they call has to be inlined. Columns have to be arguments of their
/// own, so that compilers know them to be apart.
macro_rules! vectors {
    (
        $(#[$of:meta])*
        fn $function:ident$(<const $generic:ident: bool>)?($($name:ident: $type:ty),* $(,)?) $body:block
    ) => {
        $(#[$of])*
        fn $function$(<const $generic: bool>)?(path: $crate::trace::Path, $($name: $type),*) {
            #[inline(always)]
            fn plain$(<const $generic: bool>)?($($name: $type),*) $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2$(<const $generic: bool>)?($($name: $type),*) {
                plain$(::<$generic>)?($($name),*);
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
            fn avx512$(<const $generic: bool>)?($($name: $type),*) {
                plain$(::<$generic>)?($($name),*);
            }

            match path {
                $crate::trace::Path::Portable => plain$(::<$generic>)?($($name),*),
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "a call that needs what was detected")]
                // SAFETY: `Tracer::new` hands out this path only where the machine has it.
                $crate::trace::Path::Avx2 => unsafe { avx2$(::<$generic>)?($($name),*) },
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "a call that needs what was detected")]
                // SAFETY: `Tracer::new` hands out this path only where the machine has it.
                $crate::trace::Path::Avx512 => unsafe { avx512$(::<$generic>)?($($name),*) },
            }
        }
    };
}
pub(crate) use vectors;

/// Declares a record and, as the record's [`Columnar::Columns`], the block of it.
macro_rules! columnar {
    (
        $(#[$of_record:meta])* $record:ident,
        $(#[$of_block:meta])* $block:ident { $($(#[$of_field:meta])* $field:ident: $kind:ty,)* }
    ) => {
        $(#[$of_record])*
        #[derive(Debug, Clone, Copy)]
        pub struct $record { $($(#[$of_field])* pub $field: $kind,)* }

        $(#[$of_block])*
        #[derive(Debug, Default)]
        pub struct $block { $($field: <$kind as $crate::columns::Columnar>::Columns,)* }

        impl $crate::columns::Columnar for $record {
            type Columns = $block;

            #[inline(always)]
            fn get(columns: &$block, at: usize) -> Self {
                Self { $($field: <$kind as $crate::columns::Columnar>::get(&columns.$field, at),)* }
            }

            #[inline(always)]
            fn set(self, columns: &mut $block, at: usize) {
                $($crate::columns::Columnar::set(self.$field, &mut columns.$field, at);)*
            }
        }
    };
}
pub(crate) use columnar;
