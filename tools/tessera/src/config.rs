//! Settings that need not be typed each time: `./tessera.toml`, then the person's `config.toml`.
//!
//! What is typed wins over the environment, and that over the files: a file only changes what an
//! option is where nobody says it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Arg, ArgAction, Command};
use protocol::Tokens;
use serde::Deserialize;
use transport::identity;

use crate::exit::{Exit, WithExit as _, fail};
use crate::toml_text::{self, Fault, Lines};

/// The file of a folder that somebody works in.
const HERE: &str = "tessera.toml";
/// The file of a person, beside the key.
const OF_PERSON: &str = "config.toml";
/// The variable of a farm.
const FARM_VARIABLE: &str = "TESSERA_FARM";
/// The variable of a key file.
const KEY_VARIABLE: &str = "TESSERA_KEY";

/// What a file says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Values {
    farm: Option<String>,
    key: Option<String>,
    max_cost: Option<String>,
    output: Option<OneOrMore>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn all(&self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one.clone()],
            Self::More(more) => more.clone(),
        }
    }
}

/// A place that settings are looked for in.
#[derive(Debug, Clone)]
struct Place {
    path: PathBuf,
    /// What it says, where it is there.
    values: Option<Values>,
}

/// All settings, the first place before the others.
#[derive(Debug, Clone)]
pub struct Config {
    places: Vec<Place>,
}

/// A setting and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name in a file.
    pub name: &'static str,
    /// Its values; none where nothing says it.
    pub values: Vec<String>,
    /// Where they come from.
    pub from: Origin,
}

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A variable of the environment.
    Environment(&'static str),
    /// A file.
    File(PathBuf),
    /// Nobody says it: it is as usual.
    Usual,
}

impl Config {
    /// What the files say.
    ///
    /// # Errors
    /// Usage: a file that cannot be read, a key that is not known, a value that cannot be.
    pub fn load() -> anyhow::Result<Self> {
        let of_person = identity::default_path(|name| std::env::var_os(name));
        let of_person = of_person.map(|key| key.with_file_name(OF_PERSON));
        let places = [Some(PathBuf::from(HERE)), of_person].into_iter().flatten();
        let places = places.map(Place::read).collect::<anyhow::Result<_>>()?;
        Ok(Self { places })
    }

    /// One that never changes.
    #[cfg(test)]
    pub fn example() -> Self {
        let text = "farm = \"@ticket\"\noutput = \"a.exr\"\n";
        let values = parse(text).expect("sound");
        let here = Place { path: HERE.into(), values: Some(values) };
        Self { places: vec![here, Place { path: OF_PERSON.into(), values: None }] }
    }

    /// Where settings are looked for, the first before the others, and whether a file is there.
    pub fn files(&self) -> Vec<(&Path, bool)> {
        self.places.iter().map(|it| (it.path.as_path(), it.values.is_some())).collect()
    }

    /// All settings as they are without options.
    pub fn settings(&self, variable: impl Fn(&str) -> Option<OsString>) -> Vec<Setting> {
        let in_environment = |name: &'static str| {
            let value = variable(name).filter(|value| !value.is_empty())?;
            Some((vec![value.to_string_lossy().into_owned()], Origin::Environment(name)))
        };
        let in_files = |of: &dyn Fn(&Values) -> Option<Vec<String>>| {
            let said = |place: &Place| Some((of(place.values.as_ref()?)?, place.origin()));
            self.places.iter().find_map(said)
        };
        let one = |value: &Option<String>| value.clone().map(|value| vec![value]);
        let setting = |name, found: Option<(Vec<String>, Origin)>| {
            let (values, from) = found.unwrap_or((Vec::new(), Origin::Usual));
            Setting { name, values, from }
        };
        let farm = || in_files(&|values| one(&values.farm));
        let key = || in_files(&|values| one(&values.key));
        vec![
            setting("farm", in_environment(FARM_VARIABLE).or_else(farm)),
            setting("key", in_environment(KEY_VARIABLE).or_else(key)),
            setting("max_cost", in_files(&|values| one(&values.max_cost))),
            setting("output", in_files(&|values| Some(values.output.as_ref()?.all()))),
        ]
    }

    /// The command line with what the files say where nobody types anything.
    pub fn set_defaults(&self, command: Command) -> Command {
        let said = self.settings(|_variable| None);
        let said: Vec<Said> = said.into_iter().filter_map(Said::of).collect();
        set_defaults(command, &said)
    }
}

/// What the files say of a setting, for as long as the process lives: options want it so.
#[derive(Debug, Clone, Copy)]
struct Said {
    name: &'static str,
    values: &'static [&'static str],
}

impl Said {
    fn of(setting: Setting) -> Option<Self> {
        let leak = |value: String| -> &'static str { Box::leak(value.into_boxed_str()) };
        let values: Vec<&'static str> = setting.values.into_iter().map(leak).collect();
        (!values.is_empty()).then(|| Self { name: setting.name, values: Vec::leak(values) })
    }

    /// Whether an option is the setting's.
    fn is_of(self, arg: &Arg) -> bool {
        let is_of = |variable: &str| arg.get_env().is_some_and(|env| env == variable);
        match self.name {
            "farm" => is_of(FARM_VARIABLE),
            "key" => is_of(KEY_VARIABLE),
            // What must be typed is not left to a file.
            "max_cost" => arg.get_id() == "max_cost" && !arg.is_required_set(),
            _ => arg.get_id() == "out" && matches!(arg.get_action(), ArgAction::Append),
        }
    }
}

fn set_defaults(command: Command, said: &[Said]) -> Command {
    // Who only watches a job does not want its pictures unless he says so.
    let watches = command.get_name() == "watch";
    let command = command.mut_args(|arg| {
        let of = said.iter().find(|said| said.is_of(&arg) && !(watches && said.name == "output"));
        match of {
            Some(said) => arg.required(false).default_values(said.values),
            None => arg,
        }
    });
    command.mut_subcommands(|command| set_defaults(command, said))
}

impl Place {
    fn read(path: PathBuf) -> anyhow::Result<Self> {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { path, values: None });
            }
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("the settings cannot be read: {}", path.display()))
                    .exit(Exit::Usage);
            }
        };
        let values = parse(&text)
            .map_err(|fault| fail(Exit::Usage, format!("{}:{fault}", path.display())))?;
        let values = Some(values.beside(&path));
        Ok(Self { path, values })
    }

    fn origin(&self) -> Origin {
        Origin::File(self.path.clone())
    }
}

fn parse(text: &str) -> Result<Values, Fault> {
    let table = toml_text::table(text)?;
    let lines = Lines::in_table(table.get_ref(), text);
    let values: Values = toml_text::read(table, text, None)?;
    if let Some(Err(error)) = values.max_cost.as_deref().map(str::parse::<Tokens>) {
        return Err(Fault::new(&lines, "max_cost", error));
    }
    Ok(values)
}

impl Values {
    /// With paths taken from the file's folder; those of pictures are taken from where one stands.
    fn beside(mut self, path: &Path) -> Self {
        let folder = path.parent().unwrap_or(Path::new(""));
        let beside = |file: &str| folder.join(file).to_string_lossy().into_owned();
        self.farm = self.farm.map(|farm| match farm.strip_prefix('@') {
            Some(file) => format!("@{}", beside(file)),
            None => farm,
        });
        self.key = self.key.map(|key| beside(&key));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    fn config(here: &str, of_person: &str) -> Config {
        let place = |path: &str, text: &str| {
            let path = PathBuf::from(path);
            let values = parse(text).expect("sound").beside(&path);
            Place { path, values: Some(values) }
        };
        Config { places: vec![place(HERE, here), place("/home/.config/config.toml", of_person)] }
    }

    #[test]
    fn the_environment_wins_over_files_and_the_nearer_file_over_the_other() {
        let config = config(
            "farm = \"@ticket\"\noutput = \"out/{frame}.exr\"\n",
            "farm = \"farmabc\"\nkey = \"studio.key\"\nmax_cost = \"5\"\noutput = [\"a.png\"]\n",
        );
        let farm_in = |value: &'static str| {
            move |name: &str| (name == FARM_VARIABLE).then(|| OsString::from(value))
        };
        let told = |settings: Vec<Setting>| -> Vec<String> {
            settings.iter().map(|it| format!("{} {:?} {:?}", it.name, it.values, it.from)).collect()
        };
        let person = "File(\"/home/.config/config.toml\")";
        assert_eq!(
            told(config.settings(|_| None)),
            [
                "farm [\"@ticket\"] File(\"tessera.toml\")".to_owned(),
                format!("key [\"/home/.config/studio.key\"] {person}"),
                format!("max_cost [\"5\"] {person}"),
                "output [\"out/{frame}.exr\"] File(\"tessera.toml\")".to_owned(),
            ]
        );
        let first = |value| told(config.settings(farm_in(value))).remove(0);
        assert_eq!(first("@there"), "farm [\"@there\"] Environment(\"TESSERA_FARM\")");
        assert_eq!(first(""), "farm [\"@ticket\"] File(\"tessera.toml\")");
    }

    #[test]
    fn files_change_what_options_are_where_nobody_types_them() {
        let config = config("farm = \"@ticket\"\nmax_cost = \"5\"\noutput = \"a.exr\"\n", "");
        let command = config.set_defaults(cli::command());
        command.clone().debug_assert();
        let parsed = |words: &[&str]| {
            let words = [&["tessera"], words].concat();
            let matches = command.clone().try_get_matches_from(words);
            let mut matches = matches.unwrap_or_else(|error| panic!("{error}"));
            while let Some((_, inner)) = matches.remove_subcommand() {
                matches = inner;
            }
            matches
        };
        let submit = parsed(&["jobs", "submit", "a.glb"]);
        assert_eq!(submit.get_one::<String>("farm").map(String::as_str), Some("@ticket"));
        assert_eq!(submit.get_one::<Tokens>("max_cost"), Some(&Tokens::from_whole(5)));
        assert_eq!(submit.get_one::<PathBuf>("out"), Some(&PathBuf::from("a.exr")));
        let typed =
            parsed(&["jobs", "submit", "a.glb", "--farm", "x", "-o", "b.png", "-o", "c.exr"]);
        assert_eq!(typed.get_one::<String>("farm").map(String::as_str), Some("x"));
        assert_eq!(typed.get_many::<PathBuf>("out").map(Iterator::count), Some(2));
        let job = "job_00000000000000000000000000000000";
        assert_eq!(parsed(&["jobs", "watch", job]).get_one::<PathBuf>("out"), None);
        // What looking may cost must be typed, and a check goes to a farm only where that is said.
        let dispute = ["tessera", "jobs", "dispute", job, "--tile", "1"];
        assert!(command.clone().try_get_matches_from(dispute).is_err());
        assert_eq!(parsed(&["verify", "a.json"]).get_one::<String>("farm"), None);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let check = |text: &str, words: &[&str]| {
            let said = parse(text).expect_err(text).to_string();
            assert!(words.iter().all(|word| said.contains(word)), "{text:?}: {said}");
        };
        check("farm = \"x\"\nfrm = 1\n", &["2: ", "`frm`"]);
        check("farm = 1\n", &["1: ", "farm: ", "string"]);
        check("\nmax_cost = \"a lot\"\n", &["2: ", "max_cost: ", "a lot"]);
        check("output = 1\n", &["1: ", "output"]);
        check("farm\n", &["1: "]);
    }
}
