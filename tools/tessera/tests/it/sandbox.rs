//! The process that reads and renders scenes: what it cannot do, and what becomes of it.

use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::{Batch, Rect, RenderSettings, Size};
use renderer::{Backend as _, Cancel, CpuBackend, RenderError, Work};
use sandbox::{
    Attempt, BackendChoice, Frame, Order, Outcome, Patience, RenderFault, Setup, Standing, Trial,
    Wall, Worker, WorkerError,
};
use scene::{Mesh, Node, Primitive, Scene};

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_tessera"))
}

pub fn setup() -> Setup {
    Setup {
        backend: BackendChoice::Cpu,
        threads: NonZeroUsize::new(1),
        memory_bytes: 1 << 30,
        limit_bytes: 2 << 30,
        ..Setup::default()
    }
}

pub fn worker_with(setup: Setup, patience: Patience) -> Worker {
    Worker::start(program(), setup, patience).expect("a worker starts")
}

pub fn worker() -> Worker {
    worker_with(setup(), Patience::default())
}

/// So many samples of a small frame of the built-in scene.
fn order(samples: u32) -> Order {
    let size = Size::new(32, 24);
    let settings = RenderSettings { size, samples, ..RenderSettings::default() };
    let batch = Batch::new(0, settings.chunk_count()).expect("a power of two");
    let scene = scene::pack(&scene::golden()).id();
    let frame = Frame { scene, settings, time_s: 0.0 };
    Order { frame, work: Work { rect: Rect::of_size(size), batch } }
}

pub fn package() -> Bytes {
    scene::pack(&scene::golden()).into_bytes()
}

/// An order of another scene, which looks the same, and its package.
fn another() -> (Order, Bytes) {
    let mut scene = scene::golden();
    scene.name.push_str(" of another name");
    let package = scene::pack(&scene);
    let mut order = order(16);
    order.frame.scene = package.id();
    (order, package.into_bytes())
}

/// More samples than anyone waits for.
fn endless() -> Order {
    order(65_536)
}

/// Has something happen to the worker while it renders the endless film.
fn while_rendering(worker: &mut Worker, strike: fn(u32)) -> RenderFault {
    // The scene is at hand before, so that the blow falls on the rendering.
    let short = worker.film(&order(16), Some(&package()), &Cancel::default());
    short.expect("it renders").expect("it has the package");
    let id = worker.id().expect("it runs");
    let striking = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        strike(id);
    });
    let lost = worker.film(&endless(), None, &Cancel::default());
    striking.join().expect("no panic");
    lost.expect_err("nobody renders that in time")
}

fn signal(id: u32, signal: &str) {
    let sent = Command::new("kill").args([signal, &id.to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

#[test]
fn a_worker_renders_the_same_bits() {
    let mut worker = worker();
    let order = order(64);
    let cancel = Cancel::default();
    assert!(worker.film(&order, None, &cancel).expect("an answer").is_none(), "no package yet");
    let film = worker.film(&order, Some(&package()), &cancel).expect("an answer");
    let scene = renderer::prepare(&scene::golden(), &order.frame.settings, 0.0).expect("prepared");
    let here = CpuBackend::new(None).render(&scene, order.work, &cancel).expect("rendered");
    assert_eq!(film.expect("a film").root(), here.root());
    assert!(worker.film(&order, None, &cancel).expect("an answer").is_some(), "it is at hand");
    assert!(worker.benchmark().expect("it is timed") > 0);
}

/// A trial against things that are really there: what listens, what can be read and written.
fn trial(worker: &mut Worker) -> Vec<Attempt> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    std::fs::write(&file, "the node's own").expect("written");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let trial = Trial { address, file, folder: folder.path().to_owned() };
    let attempts = worker.attempts(trial).expect("it survives its attempts");
    let left = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 1, "nothing was written beside the key");
    attempts
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_reaches_no_network_no_file_and_no_program() {
    let mut worker = worker();
    let walls = worker.confinement().clone();
    // Of every Linux that we know; namespaces and Landlock may be missing in a container.
    for wall in [Wall::Environment, Wall::Session, Wall::Orphan, Wall::Descriptors, Wall::Memory] {
        assert_eq!(walls.standing(wall), Standing::Whole, "{walls:?}");
    }
    for wall in [Wall::Limits, Wall::Privileges, Wall::Calls] {
        assert_eq!(walls.standing(wall), Standing::Whole, "{walls:?}");
    }
    let attempts = trial(&mut worker);
    assert!(attempts.len() >= 10, "{attempts:?}");
    for Attempt { what, outcome } in attempts {
        assert!(matches!(outcome, Outcome::Refused(_)), "{what}: {outcome:?}; {walls:?}");
    }
    // It has only been tried: the worker still works.
    let film = worker.film(&order(16), Some(&package()), &Cancel::default());
    assert!(film.expect("an answer").is_some());
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_with_a_graphics_driver_renders_and_reaches_no_more() {
    let software = |adapter: &gpu::AdapterSummary| adapter.kind == gpu::AdapterKind::Software;
    let required = std::env::var("TESSERA_REQUIRE_GPU_TESTS").is_ok_and(|value| value == "1");
    if !gpu::adapters().iter().any(software) {
        assert!(!required, "no software Vulkan adapter");
        return;
    }
    let setup = Setup { backend: BackendChoice::Gpu, software_gpu: true, ..setup() };
    let mut worker = worker_with(setup, Patience::default());
    assert!(worker.description().starts_with("gpu"), "{}", worker.description());
    let walls = worker.confinement().clone();
    assert_eq!(walls.standing(Wall::Calls), Standing::Part, "it says that they are wider");
    let order = order(64);
    let film = worker.film(&order, Some(&package()), &Cancel::default()).expect("an answer");
    let scene = renderer::prepare(&scene::golden(), &order.frame.settings, 0.0).expect("prepared");
    let here = CpuBackend::new(None).render(&scene, order.work, &Cancel::default());
    assert_eq!(film.expect("a film").root(), here.expect("rendered").root());
    for Attempt { what, outcome } in trial(&mut worker) {
        assert!(matches!(outcome, Outcome::Refused(_)), "{what}: {outcome:?}; {walls:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_has_nothing_of_its_nodes_environment_and_files() {
    let worker = worker();
    let id = worker.id().expect("it runs");
    let proc = Path::new("/proc").join(id.to_string());
    let environment = std::fs::read(proc.join("environ")).expect("our own child");
    let environment = String::from_utf8_lossy(&environment);
    let ours = |name: &str| environment.split('\0').any(|variable| variable.starts_with(name));
    assert!(
        std::env::var_os("PATH").is_some() && !ours("PATH=") && !ours("HOME="),
        "{environment}"
    );
    let open = std::fs::read_dir(proc.join("fd")).expect("our own child").flatten();
    let open: Vec<_> = open.filter_map(|fd| std::fs::read_link(fd.path()).ok()).collect();
    let strange = open.iter().find(|to| !to.to_string_lossy().starts_with("pipe:"));
    assert_eq!(strange, None, "{open:?}");
    let status = std::fs::read_to_string(proc.join("status")).expect("our own child");
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000"] {
        assert!(status.contains(line), "{line} of\n{status}");
    }
}

#[cfg(unix)]
#[test]
fn a_scene_that_ends_two_workers_is_not_rendered_again() {
    let mut worker = worker();
    for _ in 0..2 {
        let fault = while_rendering(&mut worker, |id| signal(id, "-KILL"));
        assert!(matches!(fault, RenderFault::Worker(WorkerError::Ended { .. })), "{fault}");
        assert!(fault.to_string().contains("SIGKILL"), "{fault}");
        assert_eq!(worker.id(), None, "another is started when needed");
    }
    let feared = worker.film(&order(16), Some(&package()), &Cancel::default());
    assert!(matches!(feared, Err(RenderFault::Feared { ended: 2 })), "{feared:?}");
    let (other, its_package) = another();
    let film = worker.film(&other, Some(&its_package), &Cancel::default());
    assert!(film.expect("an answer").is_some(), "other scenes are rendered as ever");
}

#[cfg(unix)]
#[test]
fn a_worker_that_ends_with_nothing_to_do_is_nobodys_fault() {
    let mut worker = worker();
    for _ in 0..3 {
        signal(worker.id().expect("it runs"), "-KILL");
        // Its end is noticed within moments.
        std::thread::sleep(Duration::from_millis(200));
        let film = worker.film(&order(16), Some(&package()), &Cancel::default());
        assert!(film.expect("an answer").is_some());
    }
}

#[cfg(unix)]
#[test]
fn a_worker_that_hangs_is_killed() {
    let quick = Patience {
        base: Duration::from_secs(1),
        mega_sample_bounce: Duration::ZERO,
        ..Patience::default()
    };
    let mut worker = worker_with(setup(), quick);
    let begin = Instant::now();
    let fault = while_rendering(&mut worker, |id| signal(id, "-STOP"));
    assert!(matches!(fault, RenderFault::Worker(WorkerError::Hung { .. })), "{fault}");
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}

#[test]
fn a_film_that_is_not_wanted_any_more_is_stopped() {
    let mut worker = worker();
    let id = worker.id();
    let cancel = std::sync::Arc::new(Cancel::default());
    let setting = cancel.clone();
    let setting = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        setting.set();
        Instant::now()
    });
    let stopped = worker.film(&endless(), Some(&package()), &cancel);
    let took = setting.join().expect("no panic").elapsed();
    let cancelled = matches!(stopped, Err(RenderFault::Render(RenderError::Cancelled)));
    assert!(cancelled, "{stopped:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(worker.id(), id, "it goes on with what it has");
    assert!(worker.film(&order(16), None, &Cancel::default()).expect("an answer").is_some());
}

#[cfg(target_os = "linux")]
#[test]
fn a_scene_that_wants_too_much_memory_ends_its_worker_and_no_more() {
    // A square of so many small triangles: its tree takes a multiple of its 24 MB.
    let side = 1000_u32;
    let at = |i: u32| [(i % side) as f32 * 0.01, (i / side) as f32 * 0.01, 0.0];
    let primitive = Primitive {
        positions: (0..side * (side + 1)).map(at).collect(),
        indices: (0..side * side - 1).map(|i| [i, i + 1, i + side]).collect(),
        ..Primitive::default()
    };
    let scene = Scene {
        nodes: vec![Node { mesh: Some(0), ..Node::default() }],
        meshes: vec![Mesh { primitives: vec![primitive], ..Mesh::default() }],
        ..Scene::default()
    };
    let package = scene::pack(&scene);
    let mut large = order(16);
    large.frame.scene = package.id();
    let package = package.into_bytes();
    let mut worker = worker_with(Setup { limit_bytes: 160 << 20, ..setup() }, Patience::default());
    let fault = worker.film(&large, Some(&package), &Cancel::default());
    let memory = matches!(fault, Err(RenderFault::Worker(WorkerError::Memory { limit_mib: 160 })));
    assert!(memory, "{fault:?}");
    let (other, its_package) = another();
    let film = worker.film(&other, Some(&its_package), &Cancel::default());
    assert!(film.expect("an answer").is_some());
    let mut roomy = worker_with(setup(), Patience::default());
    let film = roomy.film(&large, Some(&package), &Cancel::default());
    assert!(film.expect("it is a scene like any other").is_some());
}

#[test]
fn a_package_that_is_none_is_a_word_and_no_death() {
    let mut worker = worker();
    let id = worker.id();
    for _ in 0..3 {
        let fault = worker.film(&order(16), Some(&Bytes::from("no scene")), &Cancel::default());
        let fault = fault.expect_err("it cannot be read");
        assert!(fault.to_string().contains("package"), "{fault}");
    }
    assert_eq!(worker.id(), id);
}

#[test]
fn what_is_no_worker_is_not_taken_for_one() {
    let start = |program: &str| Worker::start(program.into(), setup(), Patience::default()).err();
    let missing = start("/no/such/program");
    assert!(matches!(missing, Some(WorkerError::Start { .. })), "{missing:?}");
    #[cfg(unix)]
    {
        let silent = start("/bin/true");
        assert!(matches!(silent, Some(WorkerError::Ended { .. })), "{silent:?}");
        // It says its argument, which is too short for anything.
        let talks = start("/bin/echo");
        assert!(matches!(talks, Some(WorkerError::Ended { .. })), "{talks:?}");
    }
}

#[test]
fn a_worker_ends_with_its_pipe() {
    let mut child = Command::new(program())
        .arg("worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success());
}

/// CPU time of a process, hundredths of a second.
#[cfg(target_os = "linux")]
fn ticks(id: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("our own child");
    let (_name, fields) = stat.rsplit_once(')').expect("a name");
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

#[cfg(target_os = "linux")]
#[test]
fn a_held_worker_computes_nothing_more_within_a_quarter_of_a_second() {
    let mut worker = worker();
    let short = worker.film(&order(16), Some(&package()), &Cancel::default());
    assert!(short.expect("it renders").is_some());
    let (id, reins) = (worker.id().expect("it runs"), worker.reins());
    let cancel = std::sync::Arc::new(Cancel::default());
    let stopping = cancel.clone();
    let watching = std::thread::spawn(move || {
        let begin = ticks(id);
        while ticks(id) < begin + 20 {
            std::thread::sleep(Duration::from_millis(10));
        }
        let hold = Instant::now();
        reins.hold();
        // Until the system says that it is stopped.
        let stat = || std::fs::read_to_string(format!("/proc/{id}/stat")).expect("our own child");
        while !stat().contains(") T ") {
            std::thread::yield_now();
        }
        let (took, at_hold) = (hold.elapsed(), ticks(id));
        std::thread::sleep(Duration::from_millis(300));
        let later = ticks(id);
        reins.release();
        while ticks(id) < later + 5 {
            std::thread::sleep(Duration::from_millis(10));
        }
        stopping.set();
        (took, later - at_hold)
    });
    let stopped = worker.film(&endless(), None, &cancel);
    assert!(matches!(stopped, Err(RenderFault::Render(RenderError::Cancelled))), "{stopped:?}");
    let (took, computed) = watching.join().expect("no panic");
    println!("halted within {:.1} ms", took.as_secs_f64() * 1e3);
    assert!(took < Duration::from_millis(250), "{took:?}");
    assert!(computed <= 1, "{computed} hundredths of a second while it was held");
    assert_eq!(worker.id(), Some(id), "it keeps all it has");
}

#[cfg(unix)]
#[test]
fn a_held_worker_waits_and_goes_on_where_it_was() {
    let mut worker = worker();
    let package = package();
    let film = worker.film(&order(16), Some(&package), &Cancel::default());
    assert!(film.expect("an answer").is_some());
    let (reins, begin) = (worker.reins(), Instant::now());
    reins.hold();
    let releasing = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        reins.release();
    });
    let film = worker.film(&order(16), None, &Cancel::default());
    assert!(film.expect("an answer").is_some());
    assert!(begin.elapsed() >= Duration::from_millis(500));
    releasing.join().expect("no panic");
}
