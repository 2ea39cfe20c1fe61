//! The options of `tessera render` and of `tessera jobs submit` that a template's action may have.

mod read;

use client::description::{FilterName, ShutterName, Without};

use crate::draft::Draft;
use crate::paths::{is_inside, tidied};
use crate::refusal::Problem;
use read::{
    crop, light, number, numbers, overscan, put, size, span_s, switch, text, triple, whole, word,
    yes,
};

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// A value, after it or after `=`.
    Value,
    /// Nothing.
    Nothing,
    /// A value after `=`, or nothing.
    Perhaps,
}

/// What an option is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    /// What is rendered, once.
    Set(Setter),
    /// What is rendered, as often as there is something to say.
    Add(Setter),
    /// What is said to the farm only; a parameter may say it as well.
    Term(Setter),
    /// Which frames.
    Frames(FrameWord),
    /// How pictures are written: whoever downloads them says it.
    Output,
    /// How a machine renders.
    Machine,
    /// What a template cannot say, and why.
    Refused(&'static str),
}

/// A word about frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameWord {
    /// One of them, or several.
    Frames,
    /// Every how many.
    Step,
}

/// An option.
#[derive(Debug)]
pub(crate) struct Opt {
    /// Its name, as typed.
    pub name: &'static str,
    /// Its other name.
    pub alias: Option<&'static str>,
    /// What it takes.
    pub takes: Takes,
    /// What it is about.
    pub role: Role,
}

/// What is said to an option.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    /// Its value.
    pub text: &'a str,
    /// What the template itself says of it.
    pub own: &'a str,
}

/// What is not right with a value.
#[derive(Debug)]
pub(crate) enum Wrong {
    /// Something else is wanted.
    Wanted(&'static str),
    /// Something that is told in full.
    Problem(Problem),
}

/// Puts a value into a draft.
pub(crate) type Setter = fn(&mut Draft, Said<'_>) -> Result<(), Wrong>;

/// The option of a name.
pub(crate) fn find(name: &str) -> Option<&'static Opt> {
    OPTIONS.iter().find(|opt| opt.name == name || opt.alias == Some(name))
}

const fn opt(name: &'static str, takes: Takes, role: Role) -> Opt {
    Opt { name, alias: None, takes, role }
}

const fn set(name: &'static str, setter: Setter) -> Opt {
    opt(name, Takes::Value, Role::Set(setter))
}

const fn flag(name: &'static str, setter: Setter) -> Opt {
    opt(name, Takes::Nothing, Role::Set(setter))
}

const fn term(name: &'static str, setter: Setter) -> Opt {
    opt(name, Takes::Value, Role::Term(setter))
}

const fn term_flag(name: &'static str, setter: Setter) -> Opt {
    opt(name, Takes::Nothing, Role::Term(setter))
}

const fn output(name: &'static str) -> Opt {
    opt(name, Takes::Value, Role::Output)
}

const fn refused(name: &'static str, takes: Takes, why: &'static str) -> Opt {
    opt(name, takes, Role::Refused(why))
}

const WHO_ORDERS: &str = "whoever orders says it, and keeps the key; leave it out";

/// All of them.
pub(crate) static OPTIONS: &[Opt] = &[
    // Picture.
    set("--size", |draft, said| put(&mut draft.description.size, size(said.text))),
    set("--crop", |draft, said| put(&mut draft.description.crop, crop(said.text))),
    set("--overscan", |draft, said| put(&mut draft.overscan, overscan(said.text))),
    Opt {
        name: "--spp",
        alias: Some("--samples"),
        takes: Takes::Value,
        role: Role::Set(|draft, said| put(&mut draft.description.samples, whole(said.text))),
    },
    set("--bounces", |draft, said| put(&mut draft.description.bounces, whole(said.text))),
    set("--seed", |draft, said| put(&mut draft.description.seed, whole(said.text))),
    set("--fps", |draft, said| put(&mut draft.description.fps, number(said.text))),
    set("--fstop", |draft, said| put(&mut draft.fstop, number(said.text))),
    set("--aperture", |draft, said| put(&mut draft.aperture, number(said.text))),
    set("--focus", |draft, said| put(&mut draft.focus, number(said.text))),
    set("--blades", |draft, said| put(&mut draft.blades, whole(said.text))),
    set("--blade-rotation", |draft, said| put(&mut draft.blade_rotation, number(said.text))),
    set("--shutter", |draft, said| put(&mut draft.description.shutter, number(said.text))),
    set("--shutter-position", |draft, said| {
        let position = word::<ShutterName>(said.text, "start, center or end");
        put(&mut draft.description.shutter_position, position)
    }),
    flag("--panorama", |draft, said| put(&mut draft.description.panorama, yes(said.text))),
    set("--filter", |draft, said| {
        let filter = word::<FilterName>(said.text, "blackman-harris, gaussian or box");
        put(&mut draft.description.filter, filter)
    }),
    Opt {
        name: "--rr",
        alias: Some("--roulette"),
        takes: Takes::Value,
        role: Role::Set(|draft, said| put(&mut draft.description.roulette, switch(said.text))),
    },
    flag("--passes", |draft, said| put(&mut draft.description.passes, yes(said.text))),
    opt(
        "--camera",
        Takes::Value,
        Role::Add(|draft, said| {
            draft.description.cameras.push(said.text.to_owned());
            Ok(())
        }),
    ),
    set("--eye", |draft, said| put(&mut draft.eye, triple(said.text))),
    set("--target", |draft, said| put(&mut draft.target, triple(said.text))),
    set("--vfov", |draft, said| put(&mut draft.vfov, number(said.text))),
    set("--sun", |draft, said| put(&mut draft.sun, light(said.text))),
    set("--sun-dir", |draft, said| put(&mut draft.sun_dir, triple(said.text))),
    set("--sun-angle", |draft, said| put(&mut draft.sun_angle, number(said.text))),
    set("--sky", |draft, said| put(&mut draft.description.sky, light(said.text))),
    set("--noise", |draft, said| put(&mut draft.noise, number(said.text))),
    set("--min-samples", |draft, said| put(&mut draft.min_samples, whole(said.text))),
    // Frames.
    Opt {
        name: "--frames",
        alias: Some("--frame"),
        takes: Takes::Value,
        role: Role::Frames(FrameWord::Frames),
    },
    opt("--step", Takes::Value, Role::Frames(FrameWord::Step)),
    // Surroundings.
    set("--env", |draft, said| {
        if !is_inside(said.own) {
            return Err(Wrong::Problem(Problem::Outside(said.text.to_owned())));
        }
        draft.env = Some(tidied(said.text));
        Ok(())
    }),
    set("--env-strength", |draft, said| put(&mut draft.env_strength, number(said.text))),
    set("--env-rotation", |draft, said| put(&mut draft.env_rotation, number(said.text))),
    set("--sun-sky", |draft, said| put(&mut draft.sun_sky, numbers(said.text))),
    set("--animation", |draft, said| text(&mut draft.scene_import.animation, said.text)),
    set("--variant", |draft, said| text(&mut draft.scene_import.variant, said.text)),
    set("--lamps", |draft, said| {
        draft.scene_import.lamps = word(said.text, "radiometric, photometric or watts")?;
        Ok(())
    }),
    set("--missing-textures", |draft, said| {
        draft.scene_import.missing_textures = word(said.text, "refuse or magenta")?;
        Ok(())
    }),
    opt(
        "--without",
        Takes::Value,
        Role::Add(|draft, said| {
            for part in said.text.split(',') {
                let without =
                    word::<Without>(part.trim(), "lamps, emission, or both with a comma")?;
                draft.scene_import.without.push(without);
            }
            Ok(())
        }),
    ),
    // What is said to the farm.
    term("--name", |draft, said| text(&mut draft.description.name, said.text)),
    term("--tile", |draft, said| put(&mut draft.description.tile, whole(said.text))),
    term_flag("--only-mine", |draft, said| {
        draft.needs.only_mine = yes(said.text)?;
        Ok(())
    }),
    term("--owners", |draft, said| {
        draft.needs.owners = said.text.split(',').map(|key| key.trim().to_owned()).collect();
        Ok(())
    }),
    term("--pool", |draft, said| text(&mut draft.needs.pool, said.text)),
    term("--backend", |draft, said| match said.text {
        "auto" => Ok(()),
        other => put(&mut draft.needs.backend, word(other, "cpu, gpu or auto")),
    }),
    term("--memory", |draft, said| put(&mut draft.needs.memory_gb, whole(said.text))),
    term("--bid", |draft, said| text(&mut draft.description.bid, said.text)),
    term("--assurance", |draft, said| text(&mut draft.description.assurance, said.text)),
    term("--max-cost", |draft, said| text(&mut draft.description.max_cost, said.text)),
    term("--priority", |draft, said| {
        let priority = said.text.parse().map_err(|_no_number| Wrong::Wanted("1 to 100"))?;
        draft.description.priority = Some(priority);
        Ok(())
    }),
    term("--after", |draft, said| {
        let jobs = said.text.split(',').map(|job| job.trim().to_owned());
        draft.description.after.extend(jobs);
        Ok(())
    }),
    term_flag("--paused", |draft, said| put(&mut draft.description.paused, yes(said.text))),
    term_flag("--progressive", |draft, said| {
        put(&mut draft.description.progressive, yes(said.text))
    }),
    term("--stop-after", |draft, said| put(&mut draft.description.stop_after_s, span_s(said.text))),
    term("--by", |draft, said| text(&mut draft.description.wanted_by, said.text)),
    // How pictures are written.
    Opt { name: "--out", alias: Some("-o"), takes: Takes::Value, role: Role::Output },
    opt("--denoise", Takes::Perhaps, Role::Output),
    output("--oidn-library"),
    output("--view"),
    output("--view-lut"),
    output("--exposure"),
    output("--white-balance"),
    output("--png-depth"),
    output("--jpeg-quality"),
    output("--exr-precision"),
    output("--exr-compression"),
    output("--exr-names"),
    output("--existing"),
    // How a machine renders.
    opt("--software-gpu", Takes::Nothing, Role::Machine),
    opt("--gpu", Takes::Value, Role::Machine),
    opt("--threads", Takes::Value, Role::Machine),
    opt("--preview", Takes::Nothing, Role::Machine),
    opt("--json", Takes::Nothing, Role::Machine),
    opt("--follow", Takes::Nothing, Role::Machine),
    // What a template cannot say.
    refused(
        "--layers",
        Takes::Value,
        "a farm's films have no such layers; --passes has those that they have",
    ),
    refused("--time", Takes::Value, "a farm's jobs have frames; give --frame and --fps"),
    refused(
        "--all-cameras",
        Takes::Nothing,
        "a template's cameras are known; name each with --camera",
    ),
    refused("--override", Takes::Value, "it is no part of a job; change the scene"),
    refused(
        "--scene",
        Takes::Value,
        "it has a place of its own; write the file, or the id, after `render`",
    ),
    refused("--farm", Takes::Value, WHO_ORDERS),
    refused("--key", Takes::Value, WHO_ORDERS),
    refused("--yes", Takes::Nothing, WHO_ORDERS),
    refused("--dry-run", Takes::Nothing, WHO_ORDERS),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_names_of_their_own_and_stand_in_the_documentation() {
        let docs = include_str!("../../../docs/openjd.md");
        let mut names = std::collections::BTreeSet::new();
        for opt in OPTIONS {
            for name in [Some(opt.name), opt.alias].into_iter().flatten() {
                assert!(names.insert(name), "{name} stands there twice");
                let is_told = !matches!(opt.role, Role::Output | Role::Machine);
                let is_there = docs.contains(&format!("`{name}`")) || name == "--roulette";
                assert!(is_there || !is_told, "{name} is not in docs/openjd.md");
            }
        }
    }
}
