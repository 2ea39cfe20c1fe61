//! Denoises an EXR and says how far it is from a reference: `denoise NOISY REFERENCE [OIDN_LIBRARY]`.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use film::compare::compare;
use film::denoise::{A_TROUS, Oidn, a_trous};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [noisy, reference, library @ ..] = arguments.as_slice() else {
        return Err("usage: denoise NOISY.exr REFERENCE.exr [OIDN_LIBRARY]".into());
    };
    let (noisy, reference) =
        (film::read_exr(Path::new(noisy))?, film::read_exr(Path::new(reference))?);
    let say = |name: &str,
               picture: &film::Picture,
               started: Instant|
     -> Result<(), Box<dyn Error>> {
        let seconds = started.elapsed().as_secs_f64();
        let found = compare(&reference, picture)?;
        let (error, flip, bias) = (found.rel_mse, found.flip_mean, 100.0 * found.bias);
        println!("{name}: relMSE {error:.5}, FLIP {flip:.4}, bias {bias:+.2} %, {seconds:.2} s");
        Ok(())
    };
    say("noisy", &noisy, Instant::now())?;
    let started = Instant::now();
    say(A_TROUS, &a_trous(&noisy)?, started)?;
    match Oidn::open(library.first().map(Path::new)) {
        Ok(oidn) => {
            let started = Instant::now();
            say(&oidn.name(), &oidn.denoise(&noisy)?, started)?;
        }
        Err(error) => println!("{error}"),
    }
    Ok(())
}
