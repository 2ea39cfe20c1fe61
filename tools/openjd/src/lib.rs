//! Open Job Description templates, read as Tessera's jobs and written of them.
//!
//! - [`Template`] is a template that was read: [`Template::import`] makes [`Import`]ed jobs of it,
//!   [`Template::check`] says what of it is refused whatever its parameters hold.
//! - [`export()`] writes a job as a template.
//! - [`read_values`] reads parameters' values from the files that other farms' programs write.
//! - [`TaskRunStatus`] is what other farms call the states of jobs.
//!
//! Nothing of a template is ever run. docs/openjd.md has all that is mapped, and all that is
//! refused.

mod arguments;
mod draft;
mod export;
mod frames;
mod import;
mod needs;
mod note;
mod options;
mod parse;
mod paths;
mod refusal;
mod states;
mod steps;
mod template;
mod terms;
mod text;
mod values;

pub use export::{Export, ExportError, export};
pub use import::{ClientCommand, ClientStep, Import, ImportError, ImportOptions, ImportedJob};
pub use note::{Note, NoteKind};
pub use refusal::{Place, Problem, Refusal};
pub use states::{TaskRunStatus, Wait};
pub use template::{Defect, Format, Parameter, ParseError, TEMPLATE_BYTES_MAX, Template};
pub use values::{ValuesError, read_values};
