//! Buffers: read, or left out where only compressed views would name them; and those views decoded.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::accessor::{Budget, Data};
use super::error::{AccessorProblem, ImportError, UriProblem};
use super::json::{BufferView, Meshopt, Root};
use super::meshopt::{Layout, MeshoptProblem};
use super::uri::{self, Resolver};
use super::uri_error;

/// Reads all buffers and decodes all compressed views, within the budget.
pub fn read<'a>(
    root: &'a Root,
    blob: Option<&'a [u8]>,
    resolver: &mut dyn Resolver,
    budget: &mut Budget,
) -> Result<Data<'a>, ImportError> {
    let buffers = read_buffers(root, blob, resolver, budget)?;
    let (decoded, replaced) = (BTreeMap::new(), BTreeMap::new());
    let mut data = Data { root, buffers, decoded, replaced };
    for (index, view) in (0_u32..).zip(root.buffer_views.iter()) {
        let Some(source) = meshopt(view) else { continue };
        let problem = |problem| ImportError::Meshopt { view: index as usize, problem };
        let layout = Layout::parse(source, view.byte_length).map_err(problem)?;
        take(budget, view.byte_length, "compressed buffer views")?;
        let stream = stream(&data, index as usize, source)?;
        let bytes = layout.decode(stream).map_err(problem)?;
        data.decoded.insert(index, bytes);
    }
    Ok(data)
}

fn meshopt(view: &BufferView) -> Option<&Meshopt> {
    view.extensions.known().and_then(|known| known.meshopt.as_ref())
}

fn take(budget: &mut Budget, needed: u64, what: &'static str) -> Result<(), ImportError> {
    let max = budget.max;
    budget.take(needed).map_err(|_left| ImportError::TooLarge { what, needed, max })
}

/// The compressed bytes of a view.
fn stream<'d>(data: &'d Data, view: usize, source: &Meshopt) -> Result<&'d [u8], ImportError> {
    let missing = |what| {
        let problem = MeshoptProblem::Missing { what };
        ImportError::Meshopt { view, problem }
    };
    let buffer = source.buffer.ok_or(missing("buffer"))?;
    let length = source.byte_length.ok_or(missing("byteLength"))?;
    data.part(buffer, source.byte_offset, length).map_err(|problem| match problem {
        AccessorProblem::Index { what, index, count } => {
            ImportError::Index { owner: "buffer view", owner_index: view, what, index, count }
        }
        _outside => ImportError::Meshopt { view, problem: MeshoptProblem::Truncated },
    })
}

fn read_buffers<'a>(
    root: &Root,
    blob: Option<&'a [u8]>,
    resolver: &mut dyn Resolver,
    budget: &mut Budget,
) -> Result<Vec<Cow<'a, [u8]>>, ImportError> {
    let placeholders = placeholders(root);
    let mut buffers = Vec::with_capacity(root.buffers.len());
    for (index, buffer) in (0_u32..).zip(root.buffers.iter()) {
        let bytes: Cow<'a, [u8]> = match (&buffer.uri, blob) {
            _ if placeholders[index as usize] => Vec::new().into(),
            (Some(text), _) => {
                let bytes = uri::read(text, resolver, budget.left)
                    .map_err(|problem| uri_error("buffer", index, text, problem))?;
                take(budget, bytes.len() as u64, "buffers")?;
                bytes.into()
            }
            (None, Some(blob)) if index == 0 => blob.into(),
            // Compression extensions describe buffers that exist only as placeholders.
            (None, _) if !buffer.extensions.names().is_empty() => Vec::new().into(),
            (None, _) => {
                let (owner, owner_index) = ("buffer", index as usize);
                return Err(ImportError::Missing { owner, owner_index, what: "data" });
            }
        };
        let (needed, available) = (buffer.byte_length, bytes.len() as u64);
        let is_placeholder = placeholders[index as usize] || !buffer.extensions.names().is_empty();
        if needed > available && !is_placeholder {
            let text = buffer.uri.as_deref().unwrap_or("the binary chunk");
            let problem = UriProblem::Short { needed, available };
            return Err(uri_error("buffer", index, text, problem));
        }
        buffers.push(bytes);
    }
    Ok(buffers)
}

/// For every buffer whether it only stands in for what compressed views decode to: they alone
/// name it, and no stream lies in it.
fn placeholders(root: &Root) -> Vec<bool> {
    let mut read = vec![false; root.buffers.len()];
    let mut replaced = vec![false; root.buffers.len()];
    let mark = |list: &mut Vec<bool>, buffer: u32| {
        if let Some(entry) = list.get_mut(buffer as usize) {
            *entry = true;
        }
    };
    for view in root.buffer_views.iter() {
        match meshopt(view) {
            Some(source) => {
                mark(&mut replaced, view.buffer);
                if let Some(buffer) = source.buffer {
                    mark(&mut read, buffer);
                }
            }
            None => mark(&mut read, view.buffer),
        }
    }
    for (replaced, buffer) in replaced.iter_mut().zip(root.buffers.iter()) {
        let known = buffer.extensions.known().and_then(|known| known.meshopt.as_ref());
        *replaced |= known.is_some_and(|meshopt| meshopt.fallback);
    }
    replaced.iter().zip(read).map(|(&replaced, read)| replaced && !read).collect()
}
