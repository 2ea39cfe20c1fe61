//! `KHR_materials_variants`: one file, several sets of materials.

use super::error::ImportError;
use super::report::ImportWarning;
use super::{Importer, json};

/// More names are not listed: nobody reads them.
const NAMES_MAX: usize = 20;

impl Importer<'_> {
    /// Takes the variant of a name, if one is asked for; gives the names there are.
    pub fn choose_variant(&mut self, wanted: Option<&str>) -> Result<Vec<String>, ImportError> {
        let known = self.data.root.extensions.known().and_then(|known| known.variants.as_ref());
        let list = known.map_or(&[][..], |known| &known.variants);
        let names: Vec<String> = list.iter().map(|variant| super::cut(&variant.name)).collect();
        let listed = || names.iter().take(NAMES_MAX).cloned().collect();
        match wanted {
            None if names.is_empty() => {}
            None => self.warnings.push(ImportWarning::Variants { names: listed() }),
            Some(wanted) => {
                let index = list.iter().position(|variant| variant.name == wanted);
                let missing =
                    || ImportError::NoVariant { name: super::cut(wanted), names: listed() };
                self.variant = u32::try_from(index.ok_or_else(missing)?).ok();
            }
        }
        Ok(names)
    }

    /// The material that a primitive has in the chosen variant, or else has.
    pub fn material_of(&self, source: &json::Primitive) -> Option<u32> {
        let known = source.extensions.known().and_then(|known| known.variants.as_ref());
        let mappings = known.map_or(&[][..], |known| &known.mappings);
        let variant = self.variant;
        let chosen = mappings
            .iter()
            .find(|mapping| variant.is_some_and(|variant| mapping.variants.contains(&variant)));
        chosen.map(|mapping| mapping.material).or(source.material)
    }
}
