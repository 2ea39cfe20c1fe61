//! Tiles that end when they have little noise: in the simulator and over sockets.

use std::collections::BTreeMap;

use film::Frame;
use ledger::account;
use proof::receipt::check;
use protocol::view::JobStatus;
use protocol::{
    Batch, JobId, JobSpec, NoiseTarget, Refusal, RenderSettings, Schedule, ShotIndex, Steering,
    TileIndex, Tokens, Unit,
};
use renderer::{Backend as _, Cancel, RenderScene, Work};
use scheduler::core::{CheckOutcome, Event, JobPhase, kept_units, view};

use crate::callers::{
    Farm, backend, client, honest, node, ordered, runtime, settings, soon_paid, spec, wait_for,
    work,
};
use crate::receipts::receipt;
use crate::simulator::{HONEST, policy, run};
use crate::world::{Character, Wanted, World, public, quiet_after};

const CHEAT: Character = Character { forges_percent: 20, good_units: 10, ..HONEST };

fn target(threshold: f32, samples_min: u32) -> NoiseTarget {
    NoiseTarget::try_new(threshold, samples_min).expect("in range")
}

fn world(seed: u64, characters: &[Character]) -> World {
    let farm: Vec<_> = (1..).zip(characters.iter().copied()).collect();
    let mut world = World::new(seed, &farm, policy());
    world.issue(account::wallet(public(50)), Tokens::from_whole(100_000), 1);
    world
}

fn wanted(noise: NoiseTarget) -> Wanted {
    Wanted { samples: 256, noise: Some(noise), ..Wanted::default() }
}

/// Chunks of every tile that are there, kept ones among them; each tile's are its first ones.
fn chunks(world: &World, job: JobId) -> BTreeMap<(ShotIndex, TileIndex), u32> {
    let book = &world.state.book;
    let job = &book.jobs[&job];
    let own = job.units.iter().filter(|unit| unit.accepted.is_some());
    let all = own.chain(kept_units(book, &job.spec).map(|(unit, _)| unit));
    let mut batches = BTreeMap::<_, Vec<Batch>>::new();
    for Unit { shot, tile, batch, .. } in all.map(|unit| unit.unit) {
        batches.entry((shot, tile)).or_default().push(batch);
    }
    let first = |mut batches: Vec<Batch>| {
        batches.sort_unstable();
        batches.iter().fold(0, |end, batch| {
            assert_eq!(batch.first_chunk(), end, "no gap, nothing twice");
            batch.end_chunk()
        })
    };
    batches.into_iter().map(|(tile, batches)| (tile, first(batches))).collect()
}

/// After how many chunks of 16 a tile ends by what it looks like.
fn ends_after((shot, tile): (ShotIndex, TileIndex), noise: NoiseTarget) -> u32 {
    let unit = Unit { job: JobId([0; 16]), shot, tile, batch: Batch::new(0, 1).expect("aligned") };
    let quiet = quiet_after(&unit, noise);
    let decided = [1, 2, 4, 8].into_iter().filter(|&chunks| noise.decides_after(chunks));
    decided.into_iter().find(|&chunks| chunks >= quiet).unwrap_or(16)
}

/// Whoever renders what, in whatever order and through crashes: tiles end where their films say.
#[test]
fn tiles_end_where_their_films_say() {
    let mut ended = [0; 17];
    for seed in 800..806 {
        let mut world = world(seed, &[HONEST; 4]);
        let noise = target(0.2, if seed % 2 == 0 { 16 } else { 40 });
        let schedule = Schedule { progressive: seed % 3 == 0, ..Schedule::default() };
        let job = world.place(50, 1, Wanted { schedule, ..wanted(noise) });
        run(&mut world, 150);
        let found = chunks(&world, job);
        assert_eq!(found.len(), 60);
        for (tile, chunks) in found {
            assert_eq!(chunks, ends_after(tile, noise), "seed {seed}: {tile:?}");
            ended[chunks as usize] += 1;
        }
        let job = &world.state.book.jobs[&job];
        assert_eq!(job.phase, JobPhase::Done);
        assert!(job.refunded > job.spent, "what is not rendered is not paid");
        let summary = view::summary(job);
        assert_eq!(summary.units, summary.units_accepted);
        assert!(world.looks > 60 && (job.units.len() as u32) > summary.units);
    }
    assert!([1, 2, 4, 8, 16].iter().all(|&chunks| ended[chunks] > 0), "{ended:?}");
}

/// What a cheat makes up has no noise, and would end a tile too soon: few are ended so for good.
#[test]
fn cheats_end_few_tiles_too_soon() {
    let (mut convicted, mut sooner, mut tiles) = (0, 0, 0);
    for seed in 820..832 {
        let mut world = world(seed, &[HONEST, CHEAT, HONEST, CHEAT]);
        world.recheck_missed_percent = 0;
        let noise = target(0.2, 16);
        let job = world.place(50, 1, wanted(noise));
        run(&mut world, 400);
        convicted += world.state.book.nodes.values().filter(|node| node.barred).count();
        for (tile, chunks) in chunks(&world, job) {
            let ends = ends_after(tile, noise);
            // It may have got more by the time that the film was found.
            sooner += u32::from(chunks < ends);
            tiles += 1;
        }
    }
    assert!(convicted >= 6, "{convicted}");
    // Films of which is found that they are bad when the job is over.
    assert!(sooner * 50 < tiles, "{sooner} of {tiles} tiles end too soon");
}

/// A film is found to be bad after it has ended its tile: what was decided by it is open again.
#[test]
fn what_a_bad_film_has_decided_is_open_again() {
    let mut world = world(850, &[HONEST; 3]);
    let noise = target(0.2, 16);
    let job = world.place(50, 1, wanted(noise));
    world.settle_all();
    let ended = |world: &World| {
        let job = &world.state.book.jobs[&job];
        let quiet = job.quiet.as_ref().expect("it has a target");
        (0..job.units.len() as u32).find(|&at| {
            let unit = &job.units[at as usize];
            unit.accepted.is_some()
                && unit.unit.batch.end_chunk() == 1
                && quiet.decides_after(&unit.unit).is_none()
        })
    };
    while ended(&world).is_none() {
        (0..3).find_map(|index| world.work_one(index)).expect("work");
        world.settle_all();
    }
    let unit_index = ended(&world).expect("just seen");
    let spared = world.state.book.jobs[&job].units_spared;
    let unit = world.state.book.jobs[&job].units[unit_index as usize].clone();
    let lease = unit.accepted.expect("accepted").film.lease;
    world.apply(Event::Disputed { job, unit_index });
    while world.state.book.disputes[&lease].seq.is_some() {
        world.bank_works();
    }
    let refusal = Refusal::Duplicate { differing: 9 };
    let outcome = CheckOutcome::Refused { refusal, evidence: None };
    world.apply(Event::DisputeHeard { lease, outcome, now_ms: world.now_ms });
    world.assert_invariants();
    let now = &world.state.book.jobs[&job];
    assert!(now.units[unit_index as usize].accepted.is_none());
    let quiet = now.quiet.as_ref().expect("it has a target");
    assert_eq!(quiet.decides_after(&unit.unit), Some(1));
    assert!(now.units_spared < spared);
    run(&mut world, 400);
    for (tile, chunks) in chunks(&world, job) {
        assert_eq!(chunks, ends_after(tile, noise), "{tile:?}");
    }
}

/// Half of the noise for the price of what is added.
#[test]
fn a_job_goes_on_to_less_noise() {
    let mut world = world(840, &[HONEST; 3]);
    let first = world.place(50, 1, wanted(target(0.2, 16)));
    run(&mut world, 300);
    let finer = target(0.05, 16);
    let second = world.place(50, 2, Wanted { base: Some(first), ..wanted(finer) });
    run(&mut world, 300);
    for (tile, chunks) in chunks(&world, second) {
        assert_eq!(chunks, ends_after(tile, finer), "{tile:?}");
    }
    // What is as quiet as it is to be already costs nothing.
    let third = world.place(50, 3, Wanted { base: Some(second), ..wanted(finer) });
    run(&mut world, 300);
    let job = &world.state.book.jobs[&third];
    assert_eq!((&job.phase, job.units_accepted, job.spent), (&JobPhase::Done, 0, Tokens::ZERO));
    // All samples of what was to be quiet only.
    let all = Wanted { base: Some(second), noise: None, ..wanted(finer) };
    let fourth = world.place(50, 4, all);
    run(&mut world, 300);
    assert!(chunks(&world, fourth).into_values().all(|chunks| chunks == 16));
}

#[test]
fn such_a_job_can_be_paused_and_stopped() {
    let mut world = world(860, &[HONEST; 2]);
    let job = world.place(50, 1, wanted(target(0.2, 16)));
    world.settle_all();
    let next = |world: &mut World| {
        let job = (0..2).find_map(|index| world.work_one(index));
        world.settle_all();
        job
    };
    for _ in 0..40 {
        next(&mut world);
    }
    let steer = |world: &mut World, steering| {
        world.apply(Event::Steered { job, steering, now_ms: world.now_ms });
        world.assert_invariants();
    };
    steer(&mut world, Steering::Pause);
    assert_eq!(next(&mut world), None);
    steer(&mut world, Steering::Resume);
    assert_eq!(next(&mut world), Some(job));
    steer(&mut world, Steering::Stop);
    run(&mut world, u64::MAX);
    assert_eq!(view::summary(&world.state.book.jobs[&job]).status, JobStatus::Stopped);
}

/// The same picture as one machine makes that looks at the noise of its own films.
fn quiet_frame(frame: &RenderScene, spec: &JobSpec, noise: NoiseTarget) -> (Frame, usize) {
    let settings = frame.settings();
    let (mut merged, mut quiet) = (Frame::of(settings), 0);
    let grid = spec.grid();
    for rect in grid.from_centre().into_iter().filter_map(|tile| grid.rect(tile)) {
        for batch in noise.cover(settings.chunk_count(), 4) {
            let work = Work { rect, batch };
            let film = backend().render(frame, work, &Cancel::default()).expect("renders");
            merged.insert(film).expect("fits");
            let start = merged.start_of(rect, batch.end_chunk());
            if start.is_some_and(|film| film::is_quiet(film, noise)) {
                quiet += usize::from(batch.end_chunk() < settings.chunk_count());
                merged.enough(rect);
                break;
            }
        }
    }
    (merged, quiet)
}

#[test]
fn a_farm_makes_the_picture_that_one_machine_makes() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), soon_paid).await;
        let (ticket, key) = (&farm.ready.ticket, farm.ready.key);
        let client = client(10, ticket).await;
        let one = node(1, ticket).await;
        let noise = target(0.1, 32);
        let settings = RenderSettings { samples: 128, ..settings() };
        let spec = JobSpec { settings, noise: Some(noise), ..spec("quiet") };
        let scene = renderer::prepare(&scene::golden(), &spec.settings, 0.0).expect("prepares");
        let (local, quiet) = quiet_frame(&scene, &spec, noise);
        assert!(quiet > 0 && quiet < spec.grid().tile_count() as usize, "{quiet} tiles are quiet");

        let job = ordered(&client, &spec).await;
        work(&one, scene.into(), honest, 1_500, 1_000).await;
        let update = wait_for(&client, job, JobStatus::Done).await;
        let mut merged = Frame::of(&spec.settings);
        for unit in update.accepted.iter().rev() {
            let request = protocol::Request::Film { unit: unit.unit };
            let (_, body) = client.call(request, Default::default()).await.expect("a film");
            let rect = spec.grid().rect(unit.unit.tile).expect("a tile");
            let film = film::Film::from_bytes(rect, unit.unit.batch, false, &body);
            merged.insert(film.expect("a film")).expect("fits");
            merged.enough_if_quiet(rect, noise);
        }
        assert!(merged.is_complete(), "the artist sees which tiles have ended");
        assert_eq!(merged.picture(), local.picture());
        assert_eq!(update.summary.units, update.accepted.len() as u32);
        assert!(!update.summary.refunded.is_zero());

        let receipt = receipt(&client, job).await;
        assert!(check(&receipt, key).expect("holds").complete);
        let mut short = receipt.clone();
        let units = &mut short.jobs[0].units;
        units.retain(|unit| {
            let verdict: protocol::Verdict = unit.verdict.open().expect("signed");
            verdict.unit.batch.first_chunk() > 0
        });
        assert!(!check(&short, key).expect("holds, without the first samples").complete);
        for caller in [client, one] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}
