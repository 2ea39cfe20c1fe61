// Light passes: what a path gathers, by the way on which it came; mirrored from
// renderer/src/passes.rs. Only kernels with PASSES have them.
#define_import_path tessera::passes

#import tessera::bsdf::Scatter
#import tessera::light::sound
#import tessera::math::fclamp
#import tessera::rounding::div

// How light that scatters in one direction is split among classes of lobes: the share of the diffuse
// ones on the viewer's side, and whether it passes the surface.
struct Split {
    diffuse: vec3<f32>,
    passes: bool,
}

// Light by class of lobes.
struct Classes {
    diffuse: vec3<f32>,
    glossy: vec3<f32>,
    transmission: vec3<f32>,
}

// What one path has gathered, and what its first event does to all that comes after it.
struct Tally {
    direct: Classes,
    indirect: Classes,
    emission: vec3<f32>,
    environment: vec3<f32>,
    onward: Split,
}

fn share_of(part: f32, whole: f32) -> f32 {
    return select(1.0, fclamp(div(part, whole), 0.0, 1.0), whole > 0.0);
}

fn split_of(scattered: Scatter, passes: bool) -> Split {
    let part = scattered.diffuse;
    let whole = scattered.value;
    return Split(
        vec3<f32>(
            share_of(part.x, whole.x), share_of(part.y, whole.y), share_of(part.z, whole.z),
        ),
        passes,
    );
}

fn with_light(before: Classes, light: vec3<f32>, split: Split) -> Classes {
    var classes = before;
    if split.passes {
        classes.transmission = classes.transmission + light;
    } else {
        let diffuse = light * split.diffuse;
        classes.diffuse = classes.diffuse + diffuse;
        classes.glossy = classes.glossy + (light - diffuse);
    }
    return classes;
}

// Takes light that the path's ray has met after `bounce` events, what glows or the environment.
fn met(before: Tally, bounce: u32, light: vec3<f32>, is_environment: bool) -> Tally {
    var tally = before;
    if bounce == 0u {
        if is_environment {
            tally.environment = tally.environment + light;
        } else {
            tally.emission = tally.emission + light;
        }
    } else if bounce == 1u {
        tally.direct = with_light(tally.direct, light, tally.onward);
    } else {
        tally.indirect = with_light(tally.indirect, light, tally.onward);
    }
    return tally;
}

fn sound_channel(part: f32, whole: f32) -> f32 {
    return select(0.0, part, whole >= 0.0);
}

// A part of a sample's light, made sound: black where the whole is not a number.
fn sound_part(given: vec3<f32>, whole: vec3<f32>) -> vec3<f32> {
    let part = sound(given);
    return vec3<f32>(
        sound_channel(part.x, whole.x),
        sound_channel(part.y, whole.y),
        sound_channel(part.z, whole.z),
    );
}

fn sound_classes(classes: Classes, whole: vec3<f32>) -> Classes {
    return Classes(
        sound_part(classes.diffuse, whole),
        sound_part(classes.glossy, whole),
        sound_part(classes.transmission, whole),
    );
}

// The sums of one sample, whose radiance is `whole` before it is made sound.
fn finished(tally: Tally, whole: vec3<f32>) -> Tally {
    var done = tally;
    done.direct = sound_classes(tally.direct, whole);
    done.indirect = sound_classes(tally.indirect, whole);
    done.emission = sound_part(tally.emission, whole);
    done.environment = sound_part(tally.environment, whole);
    return done;
}
