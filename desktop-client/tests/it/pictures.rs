//! Screens as pictures, drawn by lavapipe.
//!
//! Renew them after a wanted change with `UPDATE_SNAPSHOTS=1`, and look at each.

use desktop_client::command::Command;
use desktop_client::state::compare::{Showing, Slot, Wish as Wishes};
use desktop_client::state::jobs::{Column, Deed, Wish};
use desktop_client::state::notices::Tone;
use desktop_client::state::sheet::Sheet;
use desktop_client::state::stage::Trouble;
use desktop_client::state::verify::{Doing, Line, News, Part, Standing};
use desktop_client::state::{Door, Event, Pane, State, book, stage, verify};
use egui::{Theme, Vec2};
use egui_kittest::{Harness, SnapshotResults};
use protocol::view::{JobStatus, JobSummary};
use protocol::{NodeId, Priority, Tokens};

use crate::fixtures::{
    NOW_MS, Step, blocked, connected, done, job, job_id, lending, offline, paused, priced,
    rendering, staged, window_of,
};

use crate::frames::{animation, still};

/// Whether a software Vulkan adapter is there: pictures are compared on that alone.
pub fn can_draw() -> bool {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN;
    let instance = wgpu::Instance::new(descriptor);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let adapters = runtime.block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
    let software = adapters.iter().any(|a| a.get_info().device_type == wgpu::DeviceType::Cpu);
    let required = std::env::var("TESSERA_REQUIRE_GPU_TESTS").is_ok_and(|value| value == "1");
    assert!(software || !required, "no software Vulkan adapter; install mesa-vulkan-drivers");
    if !software {
        println!("skipped: no software Vulkan adapter (Debian, Ubuntu: mesa-vulkan-drivers)");
    }
    software
}

fn and(mut steps: Vec<Step>, more: impl IntoIterator<Item = Step>) -> Vec<Step> {
    steps.extend(more);
    steps
}

/// A scene whose price is known.
fn with_price() -> Vec<Step> {
    let steps = staged(connected(Vec::new()));
    let mut state = State::default();
    state.apply(Event::Now(NOW_MS));
    let mut all = Vec::new();
    for step in steps.into_iter().chain([Command::GetPrice.into()]) {
        match &step {
            Step::Is(event) => drop(state.apply(event.clone())),
            Step::Does(command) => drop(state.act(command.clone())),
        }
        all.push(step);
    }
    let price = priced(&state, Tokens::from_micro(3_600_000));
    all.push(price.into());
    all
}

/// A studio's evening: jobs of every kind, some late.
fn many_jobs() -> Vec<JobSummary> {
    let minute_ms = 60_000;
    let of = |seed: u8| {
        let status = JobStatus::ALL[usize::from(seed) % JobStatus::ALL.len()];
        let accepted = match status {
            JobStatus::Waiting => 0,
            JobStatus::Done => 60,
            _other => u32::from(seed) * 7 % 60,
        };
        let name = format!(
            "shot_{:03}_{}",
            u32::from(seed - 30) * 10,
            if seed.is_multiple_of(2) {
                "beauty"
            } else {
                "interior_by_night_with_all_the_candles_v042"
            }
        );
        let mut row = job(seed, &name, status, accepted, u64::from(accepted) * 52_300);
        row.priority = Priority::try_from(30 + seed * 2 % 50).expect("one");
        if status == JobStatus::Rendering {
            row.done_ms = Some(NOW_MS + u64::from(seed - 30) * 3 * minute_ms);
            row.wanted_by_ms = seed.is_multiple_of(4).then_some(NOW_MS + 10 * minute_ms);
        }
        row
    };
    (31..59).map(of).collect()
}

/// A frame that was verified; `doing` is what is still under way.
fn verified(doing: Option<Doing>) -> Vec<Step> {
    let line = |part, standing, words: &str| News::Found(Line::new(part, standing, words));
    let mut news = vec![
        line(
            Part::Order,
            Standing::Holds,
            "Your order and the farm's quote are signed and speak of this job",
        ),
        line(
            Part::Films,
            Standing::Holds,
            "60 films by 3 nodes, signed by their nodes and accepted by the farm, which rendered \
             8160 pixels of them again",
        ),
        line(Part::Whole, Standing::Holds, "Every tile has all its samples"),
        line(
            Part::Payments,
            Standing::Holds,
            "3.41 TES, each payment in the ledger's first 412 entries by its Merkle path",
        ),
        line(
            Part::Ledger,
            Standing::Unchecked,
            "No witness has signed it yet: that it has one history is the farm's word alone",
        ),
    ];
    match doing {
        Some(doing) => news.push(News::Doing(doing)),
        None => news.extend([
            line(
                Part::Pixels,
                Standing::Fails,
                "2 of 64 random pixels, rendered here, are others in the films that the nodes \
                 signed, the first at 312, 97. Nodes of class tolerant may differ a little",
            ),
            line(
                Part::Screen,
                Standing::Holds,
                "64 random pixels, rendered here, are those of the picture in this window, \
                 rounded as it keeps them",
            ),
            News::Ended(Ok(())),
        ]),
    }
    let event = |news| Event::Verify(verify::Event { serial: 2, news }).into();
    and(and(done(), [Command::Verify.into()]), news.into_iter().map(event))
}

/// A screen's name, and what leads to it.
type Looked = (&'static str, fn() -> Vec<Step>);

/// The screens of what is looked at beside each other, cropped, played and verified.
fn compared() -> [Looked; 7] {
    fn kept(showing: Showing) -> Vec<Step> {
        let look = film::Look { exposure_ev: 1.0, ..film::Look::default() };
        let wishes = [Wishes::Keep(Slot::A), Wishes::Keep(Slot::B), Wishes::Show(showing)];
        let [a, b, show] = wishes.map(|wish| Step::from(Command::Compare(wish)));
        let scene = Command::Show(Pane::Stage).into();
        let job = Command::Show(Pane::Job).into();
        and(staged(rendering()), [scene, a, job, b, show, Command::SetLook(look).into()])
    }
    fn cropped() -> Vec<Step> {
        let size = protocol::Size::new(820, 430);
        let crop = protocol::Crop { x: 960, y: 260, size };
        and(with_price(), [Command::SetCrop(Some(crop)).into()])
    }
    fn playing() -> Vec<Step> {
        let stills = (0..4).map(|shot| still(job_id(1), shot).into());
        and(and(animation(), stills), [Command::PlayOrPause.into()])
    }
    [
        ("verifying", || verified(Some(Doing::Rendering { done: 21, of: 60 }))),
        ("verified", || verified(None)),
        ("compare_wipe", || kept(Showing::Wipe)),
        ("compare_difference", || kept(Showing::Difference)),
        ("cropped", cropped),
        ("cropping", || and(cropped(), [Command::DrawCrop(true).into()])),
        ("playing", playing),
    ]
}

fn unreadable() -> Vec<Step> {
    let path = std::path::PathBuf::from("/home/mina/shots/old.gltf");
    let why = "This is glTF 1.0, and 2.0 is needed. Export the scene again as glTF 2.0".to_owned();
    let trouble = Trouble { path: path.clone(), why };
    let failed = Event::Stage(stage::Event::NotImported(trouble));
    and(connected(Vec::new()), [Command::OpenScene(path).into(), failed.into()])
}

#[test]
fn screens_look_as_they_did() {
    if !can_draw() {
        return;
    }
    let sheet = |sheet: Sheet| Step::from(Command::Sheet(Some(sheet)));
    let notice = |tone, words: &str| Step::from(Event::Notice(tone, words.to_owned()));
    type Screen = (&'static str, Option<Door>, fn() -> Vec<Step>);
    let screens: [Screen; 15] = [
        ("first_start", None, Vec::new),
        ("empty", None, || connected(Vec::new())),
        ("unreadable", None, unreadable),
        ("stage", None, || staged(Vec::new())),
        ("priced", None, with_price),
        ("rendering", None, rendering),
        ("done", None, done),
        ("offline", None, || and(rendering(), [offline().into()])),
        ("my_node", Some(Door::MyNode), rendering),
        ("lending", Some(Door::MyNode), lending),
        ("paused", Some(Door::MyNode), paused),
        ("no_farm", Some(Door::Jobs), Vec::new),
        ("jobs", Some(Door::Jobs), rendering),
        ("wallet", Some(Door::Wallet), rendering),
        ("settings", Some(Door::Settings), rendering),
    ];
    let mut results = SnapshotResults::new();
    for (name, door, steps) in screens {
        for (theme, suffix) in [(Theme::Dark, ""), (Theme::Light, "_light")] {
            let builder = Harness::builder().with_theme(theme).wgpu_setup(vulkan());
            let (mut harness, _ends) = window_of(builder, door, steps());
            harness.snapshot(format!("{name}{suffix}"));
            results.extend_harness(&mut harness);
        }
    }
    let jobs = |wishes: Vec<Wish>| {
        let wishes = wishes.into_iter().map(|wish| Command::Jobs(wish).into());
        and(vec![Command::Open(Door::Jobs).into()], wishes)
    };
    let sheets: [(&str, Vec<Step>); 10] = [
        ("sheet_open", vec![sheet(Sheet::OpenScene { path: "/home/mina/shots/".to_owned() })]),
        ("sheet_palette", vec![sheet(Sheet::Palette { query: "sh".to_owned(), chosen: 1 })]),
        ("sheet_keys", vec![sheet(Sheet::Keys)]),
        ("sheet_save", vec![Command::AskToSave.into()]),
        (
            "sheet_stop",
            vec![notice(Tone::Good, "turntable_car is finished"), sheet(Sheet::Stop(job_id(1)))],
        ),
        (
            "jobs_filtered",
            and(vec![Event::Book(book::Event::Jobs(Ok(many_jobs()))).into()], {
                let filter = Wish::Filter("-status:done name:shot_0* price:cheap".to_owned());
                let sort = Wish::SortBy(Column::Progress);
                let (one, more) = (Wish::Choose(job_id(37)), Wish::ChooseThrough(job_id(34)));
                let before = Wish::Filter("-status:done name:shot_0*".to_owned());
                jobs(vec![before, sort, one, more, filter])
            }),
        ),
        ("jobs_none_match", jobs(vec![Wish::Filter("status:paused".to_owned())])),
        ("sheet_stop_many", jobs(vec![Wish::ChooseAll, Wish::Do(Deed::Stop)])),
        (
            "sheet_block",
            vec![Command::Sheet(Sheet::block(vec![NodeId([0x61; 32]), NodeId([0x55; 32])])).into()],
        ),
        ("sheet_blocked", vec![sheet(Sheet::Blocks), blocked().into()]),
    ];
    for (name, more) in sheets {
        let builder = Harness::builder().with_theme(Theme::Dark).wgpu_setup(vulkan());
        let (mut harness, _ends) = window_of(builder, None, and(rendering(), more));
        harness.snapshot(name);
        results.extend_harness(&mut harness);
    }
    for (name, steps) in compared() {
        for (theme, suffix) in [(Theme::Dark, ""), (Theme::Light, "_light")] {
            let builder = Harness::builder().with_theme(theme).wgpu_setup(vulkan());
            let (mut harness, _ends) = window_of(builder, None, steps());
            harness.snapshot(format!("{name}{suffix}"));
            results.extend_harness(&mut harness);
        }
    }
    type Sized = (&'static str, Vec2, fn() -> Vec<Step>);
    let sizes: [Sized; 2] = [
        ("stage_small", Vec2::new(960.0, 600.0), with_price),
        ("rendering_small", Vec2::new(960.0, 600.0), || {
            and(rendering(), [Event::Notice(Tone::Good, "Saved 2 files".to_owned()).into()])
        }),
    ];
    for (name, size, steps) in sizes {
        let builder = Harness::builder().with_theme(Theme::Dark).wgpu_setup(vulkan());
        let (mut harness, _ends) = window_of(builder, None, steps());
        harness.set_size(size);
        harness.run_steps(3);
        harness.snapshot(name);
        results.extend_harness(&mut harness);
    }
}

/// Vulkan only: where it is missing, OpenGL would draw other pixels.
pub fn vulkan() -> eframe::egui_wgpu::WgpuSetup {
    let mut setup = egui_kittest::wgpu::default_wgpu_setup();
    if let eframe::egui_wgpu::WgpuSetup::CreateNew(new) = &mut setup {
        new.instance_descriptor.backends = wgpu::Backends::VULKAN;
    }
    setup
}
