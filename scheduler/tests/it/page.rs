//! The status page, as a browser asks for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use protocol::view::JobStatus;
use protocol::{Request, Size, Steering};
use scheduler::Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::callers::{Farm, client, frame, honest, node, ordered, runtime, spec, wait_for, work};

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

async fn get_as(address: SocketAddr, host: &str, path: &str) -> Answer {
    ask(address, "GET", host, path).await
}

async fn ask(address: SocketAddr, method: &str, host: &str, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sends");
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.expect("an answer");
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Answer { status, head: head.to_lowercase(), body: all.split_off(end + 4) }
}

async fn get(address: SocketAddr, path: &str) -> Answer {
    get_as(address, "localhost", path).await
}

fn with_page(config: &mut Config) {
    config.status = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
}

/// Width, height and how many pixels are shown of a PNG.
fn shown(png: &[u8]) -> (Size, usize) {
    let decoder = png::Decoder::new(std::io::Cursor::new(png));
    let mut reader = decoder.read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut pixels).expect("pixels");
    let opaque = pixels.as_chunks::<4>().0.iter().filter(|pixel| pixel[3] == 255).count();
    (Size::new(info.width, info.height), opaque)
}

#[test]
fn a_job_is_seen_from_its_order_to_its_picture() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), with_page).await;
        let page = farm.ready.status.expect("a page");
        let empty = get(page, "/").await;
        assert_eq!(empty.status, 200);
        assert!(empty.text().contains("No job has been ordered yet."), "{}", empty.text());
        assert!(empty.head.contains("content-security-policy: default-src 'none'"));

        let ticket = &farm.ready.ticket;
        let client = client(10, ticket).await;
        let name = "<script>alert(1)</script>";
        let job = ordered(&client, &spec(name)).await;
        let begun = get(page, &format!("/jobs/{job}")).await.text();
        assert!(begun.contains("&lt;script&gt;") && !begun.contains(name), "{begun}");
        assert!(begun.contains("6 tiles waiting"), "{begun}");
        let nothing = get(page, &format!("/jobs/{job}/0/mosaic.png")).await;
        assert_eq!(shown(&nothing.body), (Size::new(48, 32), 0));

        let (a, b) = (node(1, ticket).await, node(2, ticket).await);
        let frame: Arc<_> = frame();
        tokio::join!(
            work(&a, frame.clone(), honest, 1_500, 1_000),
            work(&b, frame.clone(), honest, 1_500, 1_000),
        );
        wait_for(&client, job, JobStatus::Done).await;
        let list = get(page, "/").await.text();
        assert!(list.contains(&format!("/jobs/{job}")) && list.contains("Done"), "{list}");
        let done = get(page, &format!("/jobs/{job}/0")).await.text();
        assert!(done.contains("6 tiles accepted") && !done.contains("<rect"), "{done}");
        let picture = get(page, &format!("/jobs/{job}/0/mosaic.png?v=9")).await;
        assert!(picture.head.contains("content-type: image/png"), "{}", picture.head);
        assert_eq!(shown(&picture.body), (Size::new(48, 32), 48 * 32));

        let metrics = get(page, "/metrics").await.text();
        for line in ["tessera_jobs{kind=\"done\"} 1", "tessera_nodes{kind=\"barred\"} 0", "# EOF"] {
            assert!(metrics.lines().any(|one| one == line), "{line} is not in:\n{metrics}");
        }
        for caller in [client, a, b] {
            caller.peer.close().await;
        }
        farm.stop().await;
    });
}

#[test]
fn what_is_not_there_is_said_and_other_names_are_not_answered() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), with_page).await;
        let page = farm.ready.status.expect("a page");
        let unknown = format!("/jobs/job_{}", "0".repeat(32));
        for (path, word) in [
            ("/nothing", "no such page"),
            ("/jobs/shed", "\"shed\" is no job"),
            (unknown.as_str(), "there is no shot 0 of job_"),
        ] {
            let answer = get(page, path).await;
            assert_eq!(answer.status, 404, "{path}");
            assert!(answer.text().contains(word), "{path}: {}", answer.text());
        }
        // Nothing is there to be changed, by nobody's form.
        for path in ["/", "/health", "/metrics", unknown.as_str()] {
            for method in ["POST", "PUT", "PATCH", "DELETE"] {
                let status = ask(page, method, "localhost", path).await.status;
                assert_eq!(status, 405, "{method} {path}");
            }
        }
        // A name that somebody else's server was given this machine's address for.
        assert_eq!(get_as(page, "farm.example", "/").await.status, 421);
        assert_eq!(get(page, "/health").await.text(), "the scheduler answers\n");
        for path in ["/page.js", "/page.css", "/icon.svg"] {
            assert_eq!(get(page, path).await.status, 200, "{path}");
        }
        farm.stop().await;
    });
}

#[test]
fn a_farm_that_drains_says_so_and_how_many_jobs_go_on() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let farm = Farm::start(dir.path(), with_page).await;
        let page = farm.ready.status.expect("a page");
        let client = client(10, &farm.ready.ticket).await;
        let job = ordered(&client, &spec("still to do")).await;
        let says = async |wanted: &str, path: &str| {
            for _ in 0..100 {
                if get(page, path).await.text().contains(wanted) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            panic!("{path} does not say {wanted:?}: {}", get(page, path).await.text());
        };
        says("tessera_draining 0", "/metrics").await;
        assert!(!get(page, "/").await.text().contains("Draining"));
        scheduler::drain(dir.path()).expect("asked");
        says("those that go on (1)", "/").await;
        says("tessera_draining 1", "/metrics").await;
        let steering = Steering::Pause;
        assert_eq!(client.ask(Request::Steer { job, steering }).await, protocol::Reply::Done);
        says("those that go on (0)", "/").await;
        client.peer.close().await;
        farm.stop().await;
    });
}

#[test]
fn a_taken_address_keeps_the_scheduler_from_starting() {
    runtime().block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = taken.local_addr().expect("its address");
        let config =
            Config { data_dir: dir.path().to_owned(), status: Some(address), ..Config::default() };
        let error = scheduler::run(config, |_| (), std::future::pending()).await;
        let error = error.expect_err("two cannot listen there").to_string();
        assert!(error.contains(&address.to_string()), "{error}");
    });
}
