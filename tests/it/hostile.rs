use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use farm_tests::{Farm, PATIENCE, Process};
use iroh::endpoint::Connection;
use protocol::message::RefusedCode;
use protocol::view::SceneArrival;
use protocol::{FrameRange, JobSpec, Offer, RenderSettings, Reply, Request, SceneId, Size, limits};
use scene::{golden, pack};
use tokio::time::timeout;
use transport::{Backoff, Peer, PeerConfig, Ticket, frame};

use crate::stranger::{Stranger, during, head, refused, say};
use crate::{IMPATIENT, Job, scene as spheres, submit};

/// What a scheduler may hold more under an attack than it does for an honest job: films that it must
/// take from anybody who says hello are the largest part ([`limits::BODY_BYTES_HELD_MAX`]).
const MORE_BYTES: u64 = limits::BODY_BYTES_HELD_MAX as u64 + (128 << 20);

/// Memory of a process that renders for the scheduler.
const WORKER_BYTES: u64 = 160 << 20;

/// Keys that are connected when their scheduler ends.
const CROWD: u32 = 200;

/// How long it may take until all of them are in again: four times as long as they take to miss a scheduler
/// that was killed.
const BACK: Duration = Duration::from_secs(60);

/// A farm with one honest node and a job under way, and what its scheduler held before the attack.
struct Besieged {
    farm: Farm,
    job: Job,
    _node: Process,
    before_bytes: u64,
}

impl Besieged {
    fn new() -> Result<Self> {
        // The farm's own renderer may have so much memory, which the bombs want more than.
        let farm = Farm::start(&format!("worker_bytes = {WORKER_BYTES}\n{IMPATIENT}"))?;
        let node = farm.start_node("node", &[])?;
        farm.wait_for_nodes(1)?;
        let job = submit(&farm)?;
        let before_bytes = farm.scheduler_memory_bytes().unwrap_or_default();
        Ok(Self { farm, job, _node: node, before_bytes })
    }

    fn ticket(&self) -> Result<Ticket> {
        self.farm.ticket()
    }

    /// The job ends well, a second one that begins once the attack is under way does, and the scheduler
    /// has not grown out of bounds.
    fn holds_out(mut self, under_way: &Receiver<()>) -> Result<()> {
        let first = self.job.finish(&self.farm)?;
        under_way.recv_timeout(PATIENCE).context("there was no attack")?;
        let second = submit(&self.farm)?.finish(&self.farm)?;
        let after_bytes = self.farm.scheduler_memory_bytes().unwrap_or_default();
        let grown = after_bytes.saturating_sub(self.before_bytes);
        ensure!(grown < MORE_BYTES, "the scheduler has grown by {grown} bytes");
        self.farm.check_ledger()?;
        self.farm.check_each_unit_paid_once(first + second)
    }
}

/// Frames that lie about their size, bytes that are no request, more and less than was announced, and
/// more questions than a key may ask.
#[test]
fn who_breaks_the_protocol_costs_an_honest_job_nothing() -> Result<()> {
    let besieged = Besieged::new()?;
    let ticket = besieged.ticket()?;
    let (begun, under_way) = channel();
    let attack = async move {
        let stranger = Stranger::new(&ticket, 1).await?;
        let link = stranger.dial().await?;
        let header = (limits::MESSAGE_BYTES_MAX as u32).to_le_bytes();
        refused(say(&link, &header, false).await, RefusedCode::BadRequest)?;
        refused(say(&link, &head(&Request::Farm, 0), true).await, RefusedCode::BadRequest)?;
        let link = stranger.admitted().await?;
        loop {
            breaches(&link).await?;
            begun.send(()).ok();
        }
    };
    during(attack, move || besieged.holds_out(&under_way))
}

/// Everything that is wrong with a request, once.
async fn breaches(link: &Connection) -> Result<()> {
    let bad = RefusedCode::BadRequest;
    refused(say(link, &u32::MAX.to_le_bytes(), false).await, bad)?;
    refused(say(link, &frame::head(&[0xee; 40], 0, 0), true).await, bad)?;
    let absurd = head(&Request::Qualify, limits::FILM_BYTES_MAX + 1);
    refused(say(link, &absurd, false).await, bad)?;
    refused(say(link, &head(&Request::Wallet, 1 << 20), false).await, bad)?;
    let longer = [&head(&Request::Qualify, 1_000)[..], &[7; 2_000]].concat();
    refused(say(link, &longer, true).await, bad)?;
    let shorter = [&head(&Request::Qualify, 1_000_000)[..], &[7; 2_000]].concat();
    ensure!(say(link, &shorter, true).await.is_none(), "a body cut short is answered");
    // Asking for too much is no more than that. Four at a time: on a busy machine one after the other
    // would be no more than is allowed.
    let question = head(&Request::Farm, 0);
    let ask = || say(link, &question, true);
    for _ in 0..150 {
        let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
        for reply in [a, b, c, d] {
            match reply.context("no answer")? {
                Reply::Farm(_) => {}
                reply => return refused(Some(reply), RefusedCode::Busy),
            }
        }
    }
    anyhow::bail!("six hundred questions in a row are answered")
}

/// A key with as many connections as it may have, each with as many streams as it may, on each of which
/// a byte comes now and then; a film is promised on some of them.
#[test]
fn streams_that_never_end_cost_an_honest_job_nothing() -> Result<()> {
    let besieged = Besieged::new()?;
    let ticket = besieged.ticket()?;
    let (begun, under_way) = channel();
    let attack = async move {
        let mut links = Vec::new();
        for number in 0..2 * limits::CONNECTIONS_PER_KEY_MAX {
            let key = number / limits::CONNECTIONS_PER_KEY_MAX;
            links.push(Stranger::new(&ticket, 10 + key).await?.admitted().await?);
        }
        let mut streams = Vec::new();
        for link in &links {
            for number in 0..limits::STREAMS_PER_CONNECTION_MAX {
                // One more than it may have waits until another is given up.
                let opening = timeout(Duration::from_secs(1), link.open_bi()).await;
                let Ok(Ok((mut send, recv))) = opening else { break };
                let request = match number % 4 {
                    0 => head(&Request::Qualify, limits::FILM_BYTES_MAX),
                    _ => Vec::new(),
                };
                send.write_all(&request).await.ok();
                streams.push((send, recv, frame::head(&[1; 1_000], 0, 0).into_iter().cycle()));
            }
        }
        begun.send(()).ok();
        loop {
            for (send, _recv, bytes) in &mut streams {
                let next = bytes.next().unwrap_or_default();
                // Given up by the scheduler: the others go on.
                send.write_all(&[next]).await.ok();
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    during(attack, move || besieged.holds_out(&under_way))
}

/// Connections that never say a word, as many as come about, and keys without number that say hello
/// and go. Two crowds: one of one key, one of many.
#[test]
fn floods_of_connections_cost_an_honest_job_nothing() -> Result<()> {
    let besieged = Besieged::new()?;
    let ticket = besieged.ticket()?;
    let (begun, under_way) = channel();
    let attack = async move {
        let crowd = {
            let ticket = ticket.clone();
            tokio::spawn(async move {
                let mut keys = 100..;
                loop {
                    let number = keys.next().context("numbers end")?;
                    let stranger = Stranger::new(&ticket, number).await?;
                    // Refused or not: the next one comes.
                    let _admitted = stranger.admitted().await;
                    let _silent = stranger.dial().await;
                }
            })
        };
        let silent = Stranger::new(&ticket, 2).await?;
        let mut dialled = Vec::new();
        for _ in 0..2 * limits::HANDSHAKES_MAX {
            let silent = silent.clone();
            dialled.push(tokio::spawn(async move {
                loop {
                    match silent.dial().await {
                        Ok(link) => drop(link.closed().await),
                        Err(_refused) => tokio::time::sleep(Duration::from_millis(100)).await,
                    }
                }
            }));
        }
        begun.send(()).ok();
        crowd.await?
    };
    during(attack, move || besieged.holds_out(&under_way))
}

/// Two hundred peers lose a scheduler that is killed, and then one that is stopped in order and tells all of
/// them at once: each time all are in again, and a job that was under way ends.
#[test]
fn a_crowd_that_comes_back_at_once_is_let_in_and_costs_an_honest_job_nothing() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let _node = farm.start_node("node", &[])?;
    farm.wait_for_nodes(1)?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let crowd = builder.worker_threads(2).enable_all().build()?;
    let (say, admitted) = channel();
    let ticket = farm.ticket()?;
    for number in 0..CROWD {
        let (ticket, say) = (ticket.clone(), say.clone());
        crowd.spawn(async move {
            let stranger = Stranger::new(&ticket, number).await?;
            come_back(&stranger, number, &say).await;
            anyhow::Ok(())
        });
    }
    all_are_in(&admitted)?;
    let mut units = 0;
    for in_order in [false, cfg!(unix)] {
        let job = submit(&farm)?;
        job.wait_for_units(&farm, 2)?;
        if in_order {
            farm.stop_scheduler()?;
        } else {
            farm.kill_scheduler()?;
        }
        // Whoever was in before is not in again.
        while admitted.try_recv().is_ok() {}
        farm.start_scheduler()?;
        all_are_in(&admitted)?;
        units += job.finish(&farm)?;
        farm.wait_for_log(|line| line.contains("the farm is open"))?;
    }
    crowd.shutdown_timeout(Duration::from_secs(1));
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// Comes, and comes again whenever the connection ends, as a node does; says each time that it is in.
async fn come_back(stranger: &Stranger, number: u32, say: &Sender<u32>) {
    let mut backoff = Backoff::new(u64::from(number));
    loop {
        if let Ok(link) = stranger.admitted().await {
            backoff.reset();
            if say.send(number).is_err() {
                return;
            }
            drop(link.closed().await);
        }
        tokio::time::sleep(backoff.next_wait()).await;
    }
}

/// Waits until each of the crowd has said that it is in.
fn all_are_in(admitted: &Receiver<u32>) -> Result<()> {
    let begun = Instant::now();
    let mut outside: BTreeSet<u32> = (0..CROWD).collect();
    while !outside.is_empty() {
        let left = BACK.saturating_sub(begun.elapsed());
        let number = admitted.recv_timeout(left);
        let number = number.with_context(|| format!("still outside: {outside:?}"))?;
        outside.remove(&number);
    }
    Ok(())
}

/// Packages whose headers claim more than there is, or that are damaged at random, offered by an artist
/// and asked a quote for: each is refused with a word.
#[test]
fn scenes_that_claim_gigantic_things_are_refused_and_cost_an_honest_job_nothing() -> Result<()> {
    let besieged = Besieged::new()?;
    let ticket = besieged.ticket()?;
    let (begun, under_way) = channel();
    let folder = tempfile::tempdir()?;
    let scenes = folder.path().join("scenes");
    let attack = async move {
        let peer = Peer::bind(PeerConfig::new([77; 32], scenes)).await?;
        let connection = peer.connect(&ticket).await?;
        let call = async |request: Request| {
            connection.call(&request, Bytes::new(), limits::QUOTE_TIMEOUT).await
        };
        let role = protocol::Role::Client;
        call(ticket.hello(role)).await?;
        for (what, package) in bombs() {
            let size_bytes = package.iter().map(|part| part.len() as u64).sum();
            let scene = peer.scenes().add(package).await?;
            offer(&connection, scene, size_bytes).await?;
            let quoted = call(Request::Quote { spec: spec(scene), offer: Offer::default() }).await;
            let Err(transport::CallError::Refused(refused)) = quoted else {
                anyhow::bail!("{what}: a price for it: {quoted:?}")
            };
            ensure!(refused.code == RefusedCode::BadScene, "{what}: {refused:?}");
        }
        // Said of a scene that is not there, too.
        let huge = offer(&connection, SceneId([1; 32]), u64::MAX).await;
        ensure!(huge.is_err(), "{huge:?}");
        begun.send(()).ok();
        peer.close().await;
        Ok(())
    };
    during(attack, move || besieged.holds_out(&under_way))
}

fn spec(scene: SceneId) -> JobSpec {
    JobSpec {
        name: "../../bomb".to_owned(),
        scene,
        settings: RenderSettings { size: Size::new(48, 32), samples: 16, ..Default::default() },
        more_cameras: Vec::new(),
        frames: FrameRange::STILL,
        tile_side_px: 16,
        base: None,
        noise: None,
        needs: protocol::Needs::default(),
    }
}

/// Offers a scene until it is there.
async fn offer(connection: &transport::Connection, scene: SceneId, size_bytes: u64) -> Result<()> {
    loop {
        let request = Request::OfferScene { scene, size_bytes, wait_ms: 5_000 };
        let answer = connection.call(&request, Bytes::new(), limits::QUOTE_TIMEOUT).await?;
        if let (Reply::Arrival(SceneArrival { is_whole: true, .. }), _) = answer {
            return Ok(());
        }
    }
}

/// Parts of packages that are none, or more than the farm can look at.
fn bombs() -> Vec<(&'static str, Vec<Bytes>)> {
    let packed = |scene: &scene::Scene| pack(scene).parts().collect();
    let whole = pack(&golden()).into_bytes().to_vec();
    let mut image = golden();
    image.images[0].width = u32::MAX;
    image.images[0].height = u32::MAX;
    let mut index = golden();
    index.meshes[0].primitives[0].indices[0] = [u32::MAX; 3];
    // The first section's length stands behind the magic, the version, their number and its name; the
    // outline behind the lengths of all four.
    let mut section = whole.clone();
    section[20..28].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut outline = whole.clone();
    outline[64..96].fill(0xff);
    vec![
        ("more triangles than there is memory for", packed(&heavy())),
        ("an image of 2^64 pixels", packed(&image)),
        ("an index past the end", packed(&index)),
        ("a section of 2^64 bytes", vec![section.into()]),
        ("an outline of absurd counts", vec![outline.into()]),
        ("half a package", vec![whole[..whole.len() / 2].to_vec().into()]),
        ("no package", vec![vec![0; 1 << 16].into()]),
    ]
}

/// A square of so many small triangles that its tree takes a multiple of its 24 MB.
fn heavy() -> scene::Scene {
    let side = 1000_u32;
    let at = |i: u32| [(i % side) as f32 * 0.01, (i / side) as f32 * 0.01, 0.0];
    let primitive = scene::Primitive {
        positions: (0..side * (side + 1)).map(at).collect(),
        indices: (0..side * side - 1).map(|i| [i, i + 1, i + side]).collect(),
        ..scene::Primitive::default()
    };
    scene::Scene {
        nodes: vec![scene::Node { mesh: Some(0), ..scene::Node::default() }],
        meshes: vec![scene::Mesh { primitives: vec![primitive], ..scene::Mesh::default() }],
        ..scene::Scene::default()
    }
}

/// Files that claim gigantic things never leave the artist's machine: the command says what is wrong.
#[test]
fn files_that_claim_gigantic_things_are_refused_where_they_are_read() -> Result<()> {
    let farm = Farm::start(IMPATIENT)?;
    let whole = fs::read(spheres())?;
    let json_bytes = u32::from_le_bytes(whole[12..16].try_into()?) as usize;
    let text = String::from_utf8(whole[20..20 + json_bytes].to_vec())?;
    let (before, after) = text.split_once("\"count\":").context("an accessor")?;
    let digits = after.find(|c: char| !c.is_ascii_digit()).context("a number")?;
    let text = format!("{before}\"count\":4294967295{}", &after[digits..]);
    let mut bomb = whole[..12].to_vec();
    let padded = format!("{text:width$}", width = text.len().next_multiple_of(4));
    bomb.extend((padded.len() as u32).to_le_bytes());
    bomb.extend(b"JSON");
    bomb.extend(padded.as_bytes());
    bomb.extend(&whole[20 + json_bytes..]);
    let size = (bomb.len() as u32).to_le_bytes();
    bomb[8..12].copy_from_slice(&size);
    refuses(&farm, "count.glb", &bomb)?;
    refuses(&farm, "cut.glb", &whole[..whole.len() / 2])?;
    let mut length = whole.clone();
    length[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    refuses(&farm, "length.glb", &length)?;
    refuses(&farm, "image.gltf", picture_bomb().as_bytes())
}

/// A document with a PNG of a few bytes that says it is 60 000 pixels wide and high.
fn picture_bomb() -> String {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend([60_000_u32.to_be_bytes(), 60_000_u32.to_be_bytes()].concat());
    png.extend([8, 6, 0, 0, 0]);
    let checksum = png[12..].iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _bit| (sum >> 1) ^ (0xEDB8_8320 * (sum & 1)))
    });
    png.extend((!checksum).to_be_bytes());
    let hex: String = png.iter().map(|byte| format!("%{byte:02X}")).collect();
    format!(
        r#"{{"asset":{{"version":"2.0"}},"scene":0,"scenes":[{{"nodes":[0]}}],"nodes":[{{"mesh":0}}],
        "meshes":[{{"primitives":[{{"attributes":{{"POSITION":0}},"material":0}}]}}],
        "materials":[{{"pbrMetallicRoughness":{{"baseColorTexture":{{"index":0}}}}}}],
        "textures":[{{"source":0}}],"images":[{{"uri":"data:image/png,{hex}"}}],
        "accessors":[{{"componentType":5126,"count":3,"type":"VEC3"}}]}}"#
    )
}

fn refuses(farm: &Farm, name: &str, bytes: &[u8]) -> Result<()> {
    let path = farm.path(name);
    fs::write(&path, bytes)?;
    let outcome =
        farm.submit(Path::new(&path), &["--size", "32x32"], "bomb.exr")?.wait(PATIENCE)?;
    let said = outcome.stderr.join("\n");
    // An exit code of its own: neither a signal (none) nor a panic (101).
    ensure!(outcome.code.is_some_and(|code| (1..=99).contains(&code)), "{name}:\n{outcome}");
    ensure!(said.contains("error"), "{name} is refused without a word:\n{outcome}");
    ensure!(!said.contains("panicked"), "{name}:\n{outcome}");
    Ok(())
}
