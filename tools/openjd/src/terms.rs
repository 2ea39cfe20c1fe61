//! What is said to the farm, and to nobody else, as parameters: `TesseraPriority` is `--priority`.

use crate::options::{OPTIONS, Opt, Role};

/// What their names begin with.
const PREFIX: &str = "Tessera";

/// The option that a parameter of this name stands for.
pub(crate) fn option(parameter: &str) -> Option<&'static Opt> {
    let is_it =
        |opt: &&Opt| matches!(opt.role, Role::Term(_)) && self::parameter(opt.name) == parameter;
    OPTIONS.iter().find(is_it)
}

/// The parameter that stands for an option.
pub(crate) fn parameter(option: &str) -> String {
    let mut name = PREFIX.to_owned();
    for word in option.trim_start_matches('-').split('-') {
        let mut chars = word.chars();
        name.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(chars.as_str());
    }
    name
}

/// Whether a parameter is called like one of them.
pub(crate) fn looks_like_one(parameter: &str) -> bool {
    parameter.starts_with(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_called_as_their_options() {
        assert_eq!(parameter("--stop-after"), "TesseraStopAfter");
        assert_eq!(option("TesseraStopAfter").map(|opt| opt.name), Some("--stop-after"));
        assert!(option("TesseraSize").is_none(), "the picture's options are arguments");
        assert!(option("Priority").is_none());
    }
}
