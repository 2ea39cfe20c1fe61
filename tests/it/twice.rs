//! A node of the test's own, which hands everything in more than once.

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use farm_tests::Farm;
use protocol::message::RefusedCode;
use protocol::sign::public_key;
use protocol::{
    Batch, Commitment, Lease, NodeHello, NodeId, PROTOCOL_VERSION, Piece, Rect, RenderSettings,
    Reply, Request, Role, Signed, SigningKey, limits,
};
use renderer::{Backend as _, Cancel, CpuBackend, RenderScene, Work};
use transport::{CallError, Connection, Peer, PeerConfig};

use crate::{IMPATIENT, submit};

/// What a node handed in: a request and its film.
type Handed = (Request, Bytes);

struct Node {
    key: SigningKey,
    peer: Peer,
    connection: Connection,
    backend: CpuBackend,
    /// The frame of the one job.
    frame: Option<RenderScene>,
}

impl Node {
    async fn new(farm: &Farm) -> Result<Self> {
        let key = SigningKey::from_bytes(&[55; 32]);
        let peer = Peer::bind(PeerConfig::new(key.to_bytes(), farm.path("twice"))).await?;
        let connection = peer.connect(&farm.ticket()?).await?;
        let backend = CpuBackend::new(std::num::NonZeroUsize::new(1));
        let mut node = Self { key, peer, connection, backend, frame: None };
        node.greet().await?;
        Ok(node)
    }

    async fn call(&self, (request, body): Handed) -> Result<Reply, CallError> {
        let answer = self.connection.call(&request, body, limits::CALL_TIMEOUT).await;
        answer.map(|(reply, _body)| reply)
    }

    /// Says hello, and renders the golden film where one is asked for.
    async fn greet(&mut self) -> Result<()> {
        let hello = |name: &str| NodeHello {
            name: name.to_owned(),
            engine: renderer::ENGINE,
            backend: "cpu".to_owned(),
            rays_per_second: 1_000_000,
            equipment: protocol::Equipment::default(),
            ask_per_gray: protocol::Tokens::ZERO,
            owner: None,
        };
        let hello = |name: &str| {
            let role = Role::Node(hello(name));
            Request::Hello { protocol: PROTOCOL_VERSION, role, invitation: None }
        };
        // A name that would colour the terminals of others, then one that is only odd.
        match self.call((hello("twice\u{1b}[31m\n"), Bytes::new())).await {
            Err(CallError::Refused(refused)) => {
                ensure!(refused.code == RefusedCode::BadRequest, "{refused:?}");
            }
            other => bail!("a name with control characters was taken: {other:?}"),
        }
        let hello = hello("../../twice");
        let welcome = self.call((hello, Bytes::new())).await?;
        let Reply::Welcome { qualify, .. } = welcome else { bail!("not welcome: {welcome:?}") };
        let Some(settings) = qualify.map(|qualification| qualification.settings) else {
            return Ok(());
        };
        let frame = renderer::prepare(&scene::golden(), &settings, 0.0)?;
        let batch = Batch::new(0, 1).context("one chunk")?;
        let film = self.render(&frame, Rect::of_size(settings.size), batch)?;
        let answer = self.call((Request::Qualify, film.to_bytes().into())).await?;
        ensure!(matches!(answer, Reply::Qualified { .. }), "{answer:?}");
        Ok(())
    }

    fn render(&mut self, frame: &RenderScene, rect: Rect, batch: Batch) -> Result<film::Film> {
        Ok(self.backend.render(frame, Work { rect, batch }, &Cancel::default())?)
    }

    /// Dials again, as after the scheduler was killed.
    async fn again(&mut self, farm: &Farm) -> Result<()> {
        self.connection = self.peer.connect(&farm.ticket()?).await?;
        self.greet().await
    }

    /// The next lease, if there is one.
    async fn lease(&self) -> Result<Option<Lease>> {
        let request = Request::Leases { max: 1, wait_ms: 1_000 };
        let Reply::Leases(leases) = self.call((request, Bytes::new())).await? else {
            bail!("no leases")
        };
        leases.first().map(|lease| lease.open().context("not signed")).transpose()
    }

    /// Renders a lease as an honest node does.
    async fn result(&mut self, lease: &Lease) -> Result<Handed> {
        let Piece { scene, settings, time_s, .. } = &lease.piece;
        let frame = match self.frame.take() {
            Some(frame) => frame,
            None => self.prepare(*scene, settings, *time_s).await?,
        };
        let film = self.render(&frame, lease.piece.rect, lease.piece.unit.batch)?;
        self.frame = Some(frame);
        let commitment = Commitment {
            lease: lease.id,
            node: NodeId(public_key(&self.key).0),
            piece: lease.piece.digest(),
            root: film.root(),
            rays: film.rays(),
            engine: renderer::ENGINE,
        };
        let commitment = Signed::new(&commitment, &self.key);
        Ok((Request::Submit { commitment }, film.to_bytes().into()))
    }

    async fn prepare(
        &self,
        scene: protocol::SceneId,
        settings: &RenderSettings,
        time_s: f32,
    ) -> Result<RenderScene> {
        let (scenes, farm) = (self.peer.scenes(), self.connection.peer());
        scenes.fetch(scene, limits::SCENE_BYTES_MAX, farm, |_progress| ()).await?;
        let scene = scene::unpack_as(scene, &scenes.read(scene).await?)?;
        Ok(renderer::prepare(&scene, settings, time_s)?)
    }
}

/// Two copies at once, all of them again after each restart of the scheduler, and once another film for
/// a lease that was answered: each unit is accepted and paid once, and nobody is blamed.
#[test]
fn a_result_that_is_handed_in_again_and_again_is_paid_once() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let job = submit(&farm)?;
    let units = tokio::runtime::Runtime::new()?.block_on(async {
        let mut node = Node::new(&farm).await?;
        let mut handed: Vec<Handed> = Vec::new();
        while !is_over(&farm, &job.id)? {
            let Some(lease) = node.lease().await? else { continue };
            let result = node.result(&lease).await?;
            let (one, other) = tokio::join!(node.call(result.clone()), node.call(result.clone()));
            ensure!((one?, other?) == (Reply::Done, Reply::Done), "one of two copies was refused");
            handed.push(result);
            if handed.len() % 10 == 1 {
                farm.kill_scheduler()?;
                farm.start_scheduler()?;
                node.again(&farm).await?;
                for result in &handed {
                    ensure!(node.call(result.clone()).await? == Reply::Done, "not the same twice");
                }
                let forged = forge(&node.key, &lease, handed.first().context("one")?);
                let Err(CallError::Refused(refused)) = node.call(forged).await else {
                    bail!("a second film of a lease was taken")
                };
                ensure!(refused.code == RefusedCode::LeaseLapsed, "{refused:?}");
            }
        }
        node.peer.close().await;
        anyhow::Ok(handed.len())
    })?;
    farm.opened_from_snapshots()?;
    ensure!(job.finish(&farm)? == units, "each unit was leased once");
    let node = farm.ask(&["farm"])?.pop().context("no node")?;
    ensure!(node["accepted"] == units && node["refused"] == 0, "{node}");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}

/// Another film's bytes, signed for a lease that has been answered.
fn forge(key: &SigningKey, lease: &Lease, (_, film): &Handed) -> Handed {
    let commitment = Commitment {
        lease: lease.id,
        node: NodeId(public_key(key).0),
        piece: lease.piece.digest(),
        root: protocol::Digest([7; 32]),
        rays: protocol::RayCount::default(),
        engine: renderer::ENGINE,
    };
    (Request::Submit { commitment: Signed::new(&commitment, key) }, film.clone())
}

fn is_over(farm: &Farm, job: &str) -> Result<bool> {
    Ok(farm.ask(&["jobs", "show", job])?[0]["status"] == "done")
}
