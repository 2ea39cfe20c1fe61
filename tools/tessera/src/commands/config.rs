//! `tessera config`: settings, and where each comes from.

use clap::Args;
use serde_json::{Value, json};
use transport::identity;

use crate::config::{Config, Origin, Setting};
use crate::exit::Exit;
use crate::json;
use crate::text;

/// Options of `tessera config`.
#[derive(Debug, Args)]
#[command(
    before_help = "\
Examples:
  tessera config
  tessera config --json

",
    after_help = "\
Options win over the environment, that over ./tessera.toml, and that over the config.toml beside
your key. A file may have farm, key, max_cost and output; see docs/cli.md"
)]
pub struct ConfigArgs {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Shows them.
///
/// # Errors
/// A file that cannot be; standard output is gone.
pub fn run(args: &ConfigArgs) -> anyhow::Result<Exit> {
    let config = Config::load()?;
    let settings = config.settings(|name| std::env::var_os(name));
    let usual_key = identity::default_path(|name| std::env::var_os(name));
    let usual_key = usual_key.map(|path| path.display().to_string());
    if args.json {
        text::print(object(&config, &settings, usual_key.as_deref()))?;
        return Ok(Exit::Done);
    }
    for Setting { name, values, from } in &settings {
        let usual = usual_key.clone().filter(|_| *name == "key");
        let value = match values.as_slice() {
            [] => usual.unwrap_or_else(|| "not set".to_owned()),
            values => values.join(", "),
        };
        text::print(format_args!("{name:<10}{value}  ({})", words(from)))?;
    }
    for (path, is_there) in config.files() {
        let word = if is_there { "read" } else { "not there" };
        note!("  {}: {word}", path.display());
    }
    Ok(Exit::Done)
}

fn words(from: &Origin) -> String {
    match from {
        Origin::Environment(name) => format!("from {name}"),
        Origin::File(path) => format!("from {}", path.display()),
        Origin::Usual => "as usual".to_owned(),
    }
}

/// For programs.
pub fn object(config: &Config, settings: &[Setting], usual_key: Option<&str>) -> Value {
    let files = config.files();
    let files = files.iter().map(
        |(path, is_there)| json!({ "file": path.display().to_string(), "is_there": is_there }),
    );
    let mut object = json!({
        "v": json::VERSION,
        "usual_key": usual_key,
        "files": files.collect::<Vec<_>>(),
    });
    for Setting { name, values, from } in settings {
        let (kind, of) = match from {
            Origin::Environment(name) => ("environment", Some((*name).to_owned())),
            Origin::File(path) => ("file", Some(path.display().to_string())),
            Origin::Usual => ("usual", None),
        };
        object[*name] = json!({ "values": values, "from": kind, "of": of });
    }
    object
}
