//! What idle nodes cost a scheduler: memory by connection, and CPU time while nothing is to do and while
//! two nodes have a job.
//!
//!     cargo bench --profile release -p farm-tests --bench idle -- [CONNECTIONS]
//!
//! The idle ones are connections of this process, as many of one key as a key may have, that have
//! qualified, wait for work and say every five seconds that they are there, as `tessera node` does; they
//! ask more than any job pays. Reading memory and CPU time needs Linux.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use farm_tests::{Farm, Process};
use protocol::{Batch, NodeHello, PROTOCOL_VERSION, Rect, Reply, Request, Role, limits};
use renderer::{Backend as _, Cancel, CpuBackend, Work};
use transport::{Connection, Peer, PeerConfig, Ticket};

const HOUR: Duration = Duration::from_secs(3600);
/// How long nothing happens while CPU time is counted.
const STILL: Duration = Duration::from_secs(30);
const BEAT: Duration = Duration::from_secs(5);

fn main() -> Result<()> {
    let count = std::env::args().skip(1).find(|word| word != "--bench");
    let count: u32 = count.map_or(Ok(2_000), |word| {
        word.parse().with_context(|| format!("{word:?} is no number of connections"))
    })?;
    farm_tests::tessera();
    let farm = Farm::start("requests_per_second = 0\n")?;
    let workers = ["one", "two"].map(|name| farm.start_node(name, &[]));
    let _workers: Vec<Process> = workers.into_iter().collect::<Result<_>>()?;
    farm.wait_for_nodes(2)?;
    let memory = || farm.scheduler_memory_bytes().context("the system tells no memory");
    let cpu_s = || farm.scheduler_cpu_s().context("the system tells no CPU time");
    let job = |out: &str| -> Result<(f64, f64)> {
        let (before, start) = (cpu_s()?, Instant::now());
        let scene = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../assets/spheres.glb");
        let picture = ["--size", "1280x720", "--spp", "32", "--tile", "64"];
        let outcome = farm.submit(&scene, &picture, out)?.wait(HOUR)?;
        ensure!(outcome.code == Some(0), "{outcome}");
        Ok((cpu_s()? - before, start.elapsed().as_secs_f64()))
    };
    let still = || -> Result<f64> {
        let before = cpu_s()?;
        std::thread::sleep(STILL);
        Ok((cpu_s()? - before) / STILL.as_secs_f64())
    };
    // A first job, so that what a scheduler keeps for any is there before memory is read.
    job("first.exr")?;
    let alone = (memory()?, still()?, job("alone.exr")?);

    let runtime = tokio::runtime::Runtime::new()?;
    let ticket: Ticket = std::fs::read_to_string(farm.path("ticket"))?.parse()?;
    let folder = farm.path("idle");
    let begun = Instant::now();
    let peers = runtime.block_on(connected(&ticket, &folder, count))?;
    println!("{count} connections in {:.1} s", begun.elapsed().as_secs_f64());
    let crowded = (memory()?, still()?, job("crowded.exr")?);

    let each = crowded.0.saturating_sub(alone.0) / u64::from(count.max(1));
    println!("memory: {} MB alone, {} MB with them: {each} bytes each", mb(alone.0), mb(crowded.0));
    println!("{:<26}{:>10}{:>14}", "", "alone", "with them");
    println!("{:<26}{:>10.4}{:>14.4}", "CPU-s a second, idle", alone.1, crowded.1);
    println!("{:<26}{:>10.2}{:>14.2}", "CPU-s of a job", alone.2.0, crowded.2.0);
    println!("{:<26}{:>10.1}{:>14.1}", "seconds of a job", alone.2.1, crowded.2.1);
    runtime.block_on(async {
        for peer in peers {
            peer.close().await;
        }
    });
    Ok(())
}

fn mb(bytes: u64) -> u64 {
    bytes / 1_000_000
}

/// Connections that wait for work.
async fn connected(ticket: &Ticket, folder: &std::path::Path, count: u32) -> Result<Vec<Peer>> {
    let of_one = limits::CONNECTIONS_PER_KEY_MAX;
    let mut peers = Vec::new();
    for number in 0..count.div_ceil(of_one) {
        let mut key = [7; 32];
        key[..4].copy_from_slice(&number.to_le_bytes());
        let peer = Peer::bind(PeerConfig::new(key, folder.join(number.to_string()))).await?;
        for _ in 0..of_one.min(count - number * of_one) {
            let connection = peer.connect(ticket).await?;
            welcome(&connection).await?;
            let (polling, beating) = (connection.clone(), connection);
            tokio::spawn(async move {
                let wait_ms = limits::POLL_WAIT_MAX.as_millis() as u32;
                let poll = Request::Leases { max: 1, wait_ms };
                let patience = limits::CALL_TIMEOUT + limits::POLL_WAIT_MAX;
                while polling.call(&poll, Bytes::new(), patience).await.is_ok() {}
            });
            tokio::spawn(async move {
                let beat = Request::Heartbeat { leases: Vec::new() };
                while beating.call(&beat, Bytes::new(), limits::CALL_TIMEOUT).await.is_ok() {
                    tokio::time::sleep(BEAT).await;
                }
            });
        }
        peers.push(peer);
    }
    Ok(peers)
}

async fn welcome(connection: &Connection) -> Result<()> {
    let hello = NodeHello {
        name: "idle".to_owned(),
        engine: renderer::ENGINE,
        backend: "cpu".to_owned(),
        rays_per_second: 1,
        equipment: protocol::Equipment::default(),
        ask_per_gray: limits::PRICE_PER_GRAY_MAX,
        owner: None,
    };
    let hello =
        Request::Hello { protocol: PROTOCOL_VERSION, role: Role::Node(hello), invitation: None };
    let answer = connection.call(&hello, Bytes::new(), limits::CALL_TIMEOUT).await?.0;
    let Reply::Welcome { qualify, .. } = answer else { bail!("not welcome: {answer:?}") };
    let Some(qualification) = qualify else { return Ok(()) };
    let settings = qualification.settings;
    let film = tokio::task::spawn_blocking(move || -> Result<_> {
        let frame = renderer::prepare(&scene::golden(), &settings, 0.0)?;
        let batch = Batch::new(0, 1).context("one chunk")?;
        let work = Work { rect: Rect::of_size(settings.size), batch };
        let mut backend = CpuBackend::new(std::num::NonZeroUsize::new(1));
        Ok(backend.render(&frame, work, &Cancel::default())?)
    });
    let film = Bytes::from(film.await??.to_bytes());
    let answer = connection.call(&Request::Qualify, film, limits::CALL_TIMEOUT).await?.0;
    ensure!(matches!(answer, Reply::Qualified { .. }), "not qualified: {answer:?}");
    Ok(())
}
