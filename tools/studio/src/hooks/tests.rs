use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::book::{Book, NewEvent, Team, scratch};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a receiver was sent.
#[derive(Debug)]
struct Message {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

/// A receiver's answers: those that are prescribed, then 200.
#[derive(Debug, Default)]
enum Reply {
    #[default]
    Ok,
    Status(u16),
    MovedTo(&'static str),
    Never,
}

#[derive(Clone)]
struct Desk {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    messages: mpsc::Sender<Message>,
}

struct Receiver {
    url: String,
    messages: mpsc::Receiver<Message>,
    _server: tokio::task::JoinSet<()>,
}

async fn receive(State(desk): State<Desk>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    desk.messages.send(Message { path, headers, body }).await.expect("it works");
    let reply = desk.replies.lock().expect("it works").pop_front().unwrap_or_default();
    match reply {
        Reply::Ok => "taken".into_response(),
        Reply::Status(status) => {
            (StatusCode::from_u16(status).expect("it works"), "no\r\n".repeat(4_000))
                .into_response()
        }
        Reply::MovedTo(path) => (StatusCode::FOUND, [("location", path)]).into_response(),
        Reply::Never => std::future::pending().await,
    }
}

async fn serve(router: Router) -> (String, tokio::task::JoinSet<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("it works");
    let url = format!("http://{}/hook?x=1", listener.local_addr().expect("it works"));
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async { axum::serve(listener, router).await.expect("it works") });
    (url, server)
}

impl Receiver {
    async fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let (sender, messages) = mpsc::channel(1_000);
        let replies = Arc::new(Mutex::new(replies.into_iter().collect()));
        let router = Router::new().fallback(receive).with_state(Desk { replies, messages: sender });
        let (url, server) = serve(router).await;
        Self { url, messages, _server: server }
    }

    async fn next(&mut self) -> Message {
        timeout(PATIENCE, self.messages.recv()).await.expect("it works").expect("it works")
    }

    /// The ids of the events of the next messages.
    async fn events(&mut self, count: usize) -> Vec<u64> {
        let mut events = Vec::new();
        for _message in 0..count {
            let body: Value = serde_json::from_slice(&self.next().await.body).expect("it works");
            events.push(body["id"].as_u64().expect("it works"));
        }
        events
    }
}

fn header<'a>(message: &'a Message, name: &str) -> &'a str {
    message.headers[name].to_str().expect("it works")
}

/// A book, and a courier that never waits long for its next try.
struct Post {
    dir: tempfile::TempDir,
    book: Book,
    wake: Arc<Notify>,
    courier: Courier,
}

struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Post {
    fn new() -> Self {
        let (dir, book) = scratch::book();
        Self::of(dir, book)
    }

    fn of(dir: tempfile::TempDir, book: Book) -> Self {
        let wake = Arc::new(Notify::new());
        let courier = Courier::try_new(book.clone(), Arc::clone(&wake)).expect("it works");
        let courier = courier.with_ladder(quick(3)).with_answer(PATIENCE);
        Self { dir, book, wake, courier }
    }

    fn hook(&self, url: &str) -> (Webhook, HookSecret) {
        let new = NewWebhook { url: url.to_owned(), events: BTreeSet::new(), team: None };
        self.book.add_webhook(new, 1).expect("it works")
    }

    fn append(&self, kinds: &[EventKind]) -> Vec<Event> {
        let events = self
            .book
            .append(kinds.iter().map(|&kind| new(kind)).collect(), true)
            .expect("it works");
        self.wake.notify_one();
        events
    }

    fn run(&self) -> Running {
        let (stop, stopped) = watch::channel(false);
        Running { stop, task: tokio::spawn(self.courier.clone().run(stopped)) }
    }

    fn deliveries(&self, webhook: &Webhook) -> Vec<Delivery> {
        self.book.deliveries(&webhook.id, None, usize::MAX).expect("it works")
    }
}

impl Running {
    /// Ends the courier, which records what is under way.
    async fn stop(self) {
        self.stop.send(true).expect("it works");
        timeout(PATIENCE, self.task).await.expect("it works").expect("it works");
    }
}

fn quick(waits: usize) -> Ladder {
    Ladder::new(vec![Duration::from_millis(1); waits], 10)
}

fn new(kind: EventKind) -> NewEvent {
    let job = Some("job_1".to_owned());
    NewEvent { kind, time_ms: 5, job, team: None, body: json!({"status": "done"}) }
}

fn statuses(delivery: &Delivery) -> Vec<Option<u16>> {
    delivery.attempts.iter().map(|attempt| attempt.status).collect()
}

const DONE: [EventKind; 1] = [EventKind::JobDone];

#[tokio::test]
async fn an_event_arrives_signed() {
    let mut receiver = Receiver::new([]).await;
    let post = Post::new();
    let (webhook, secret) = post.hook(&receiver.url);
    let running = post.run();
    let event = post.append(&DONE).remove(0);
    let message = receiver.next().await;
    running.stop().await;

    let id = header(&message, "webhook-id");
    let time_s = header(&message, "webhook-timestamp").parse().expect("it works");
    assert_eq!(header(&message, "webhook-signature"), secret.sign(id, time_s, &message.body));
    assert_eq!(header(&message, "content-type"), "application/json");
    assert_eq!(serde_json::from_slice::<Value>(&message.body).expect("it works"), event.to_json());
    let [delivery] = &post.deliveries(&webhook)[..] else { panic!("one delivery") };
    assert_eq!((delivery.id.as_str(), delivery.event_id), (id, event.id));
    assert_eq!(delivery.state, DeliveryState::Delivered);
    let [attempt] = &delivery.attempts[..] else { panic!("one attempt") };
    assert_eq!((attempt.status, &attempt.error), (Some(200), &None));
    assert_eq!(attempt.time_ms / 1_000, time_s);
}

#[tokio::test]
async fn what_failed_is_sent_again_under_its_id() {
    let mut receiver = Receiver::new([Reply::Status(500), Reply::MovedTo("/elsewhere")]).await;
    let post = Post::new();
    let (webhook, _) = post.hook(&receiver.url);
    let running = post.run();
    post.append(&DONE);
    let mut ids = BTreeSet::new();
    for _try in 0..3 {
        let message = receiver.next().await;
        // Never /elsewhere.
        assert_eq!(message.path, "/hook");
        ids.insert(header(&message, "webhook-id").to_owned());
    }
    running.stop().await;
    let [delivery] = &post.deliveries(&webhook)[..] else { panic!("one delivery") };
    assert_eq!(statuses(delivery), [Some(500), Some(302), Some(200)]);
    assert_eq!(delivery.state, DeliveryState::Delivered);
    assert_eq!(ids, BTreeSet::from([delivery.id.clone()]));
    let error = delivery.attempts[0].error.as_deref().expect("it works");
    assert!(error.starts_with("answered 500 Internal Server Error: no  no"), "{error}");
    assert!(error.len() < 300);
    assert!(receiver.messages.try_recv().is_err());
}

#[tokio::test]
async fn what_fails_as_often_as_the_ladder_has_it_is_given_up() {
    let mut receiver = Receiver::new((0..4).map(|_| Reply::Status(503))).await;
    let post = Post::new();
    let (webhook, _) = post.hook(&receiver.url);
    let running = post.run();
    post.append(&DONE);
    assert_eq!(receiver.events(4).await, [1; 4]);
    post.append(&DONE);
    assert_eq!(receiver.events(1).await, [2]);
    running.stop().await;
    let [good, bad] = &post.deliveries(&webhook)[..] else { panic!("two deliveries") };
    assert_eq!((statuses(bad), bad.state), (vec![Some(503); 4], DeliveryState::GivenUp));
    assert_eq!((statuses(good), good.state), (vec![Some(200)], DeliveryState::Delivered));
}

#[tokio::test]
async fn a_failing_event_holds_up_no_other() {
    let mut receiver = Receiver::new([Reply::Status(500)]).await;
    let mut post = Post::new();
    post.courier = post.courier.with_ladder(Ladder::new(vec![Duration::from_hours(2)], 0));
    let (webhook, _) = post.hook(&receiver.url);
    post.append(&[EventKind::JobPaused, EventKind::JobResumed, EventKind::JobDone]);
    let running = post.run();
    assert_eq!(receiver.events(3).await, [1, 2, 3]);
    running.stop().await;
    let states: Vec<DeliveryState> =
        post.deliveries(&webhook).iter().rev().map(|delivery| delivery.state).collect();
    assert!(matches!(states[0], DeliveryState::Waiting { next_ms } if next_ms > 3_600_000));
    assert_eq!(states[1..], [DeliveryState::Delivered; 2]);
}

#[tokio::test]
async fn deliveries_outlive_the_process() {
    let mut receiver = Receiver::new([]).await;
    let Post { dir, book, courier, .. } = {
        let post = Post::new();
        post.hook(&receiver.url);
        post.append(&DONE);
        assert_eq!(post.book.enqueue().expect("it works"), 1);
        assert_eq!(post.book.enqueue().expect("it works"), 0);
        // Appended and not queued: a crash came between.
        post.append(&DONE);
        post
    };
    // Queueing does not wait for the disk.
    let after_cut = scratch::power_cut(dir.path());
    drop((book, courier));
    let reopened = Book::open(&dir.path().join("studio.redb")).expect("it works");
    for (dir, book) in [after_cut, (dir, reopened)] {
        let post = Post::of(dir, book);
        let running = post.run();
        assert_eq!(receiver.events(2).await, [1, 2]);
        running.stop().await;
        let webhook = post.book.webhooks().expect("it works").remove(0);
        let states: Vec<_> =
            post.deliveries(&webhook).iter().map(|delivery| delivery.state).collect();
        assert_eq!(states, [DeliveryState::Delivered; 2]);
    }
    assert!(receiver.messages.try_recv().is_err());
}

#[tokio::test]
async fn who_is_slow_is_asked_again_and_holds_up_nobody_else() {
    let mut slow = Receiver::new([Reply::Never]).await;
    let mut other = Receiver::new([]).await;
    let mut post = Post::new();
    post.courier = post.courier.with_answer(Duration::from_secs(1));
    let (webhook, _) = post.hook(&slow.url);
    post.hook(&other.url);
    let running = post.run();
    post.append(&DONE);
    assert_eq!(other.events(1).await, [1]);
    assert_eq!(slow.events(2).await, [1, 1]);
    running.stop().await;
    let [delivery] = &post.deliveries(&webhook)[..] else { panic!("one delivery") };
    assert_eq!(statuses(delivery), [None, Some(200)]);
    assert_eq!(delivery.attempts[0].error.as_deref(), Some("no answer within 1s"));
    assert!(delivery.attempts[0].took_ms >= 999);
}

#[tokio::test]
async fn who_is_gone_is_sent_nothing_more() {
    let mut receiver = Receiver::new([Reply::Status(410)]).await;
    let post = Post::new();
    let (webhook, _) = post.hook(&receiver.url);
    post.append(&[EventKind::JobDone, EventKind::JobFailed]);
    let running = post.run();
    assert_eq!(receiver.events(1).await, [1]);
    running.stop().await;
    assert!(
        post.book.webhook(&webhook.id).expect("it works").expect("it works").disabled_ms.is_some()
    );
    post.append(&DONE);
    assert_eq!(post.book.enqueue().expect("it works"), 0);
    let deliveries = post.deliveries(&webhook);
    let states: Vec<_> = deliveries.iter().map(|delivery| delivery.state).collect();
    assert_eq!(states, [DeliveryState::GivenUp; 2]);
    assert_eq!(statuses(&deliveries[1]), [Some(410)]);
}

#[tokio::test]
async fn a_test_is_sent_at_once_and_is_no_delivery() {
    let mut receiver = Receiver::new([Reply::Ok, Reply::Status(404)]).await;
    let post = Post::new();
    let (webhook, secret) = post.hook(&receiver.url);
    let attempt = post.courier.test(&webhook.id).await.expect("it works").expect("it works");
    assert!(attempt.is_success() && attempt.error.is_none(), "{attempt:?}");
    let message = receiver.next().await;
    let time_s = header(&message, "webhook-timestamp").parse().expect("it works");
    let signature = secret.sign(header(&message, "webhook-id"), time_s, &message.body);
    assert_eq!(header(&message, "webhook-signature"), signature);
    let body: Value = serde_json::from_slice(&message.body).expect("it works");
    assert_eq!(body["type"], "ping");

    let attempt = post.courier.test(&webhook.id).await.expect("it works").expect("it works");
    assert_eq!((attempt.status, attempt.is_success()), (Some(404), false));
    assert_eq!(post.courier.test("whk_0").await.expect("it works"), None);
    assert!(post.deliveries(&webhook).is_empty());

    let (nobody, _) = post.hook("http://127.0.0.1:1/");
    let attempt = post.courier.test(&nobody.id).await.expect("it works").expect("it works");
    let error = attempt.error.as_deref().expect("it works");
    assert!(attempt.status.is_none() && error.to_lowercase().contains("refused"), "{error}");
}

/// Twenty webhooks of a receiver that answers nobody before it has seen as many as may be.
#[tokio::test]
async fn sixteen_are_under_way_at_once_and_one_a_webhook() {
    #[derive(Clone)]
    struct Crowd {
        inside: watch::Sender<usize>,
        most: watch::Sender<usize>,
        open: watch::Sender<bool>,
    }
    async fn wait(State(crowd): State<Crowd>) {
        crowd.inside.send_modify(|inside| *inside += 1);
        crowd.most.send_modify(|most| *most = (*most).max(*crowd.inside.borrow()));
        crowd.open.subscribe().wait_for(|&open| open).await.expect("it works");
        crowd.inside.send_modify(|inside| *inside -= 1);
    }
    let crowd = Crowd {
        inside: watch::Sender::new(0),
        most: watch::Sender::new(0),
        open: watch::Sender::new(false),
    };
    let (url, _server) = serve(Router::new().fallback(wait).with_state(crowd.clone())).await;
    let post = Post::new();
    let webhooks: Vec<Webhook> = (0..20).map(|_| post.hook(&url).0).collect();
    post.append(&[EventKind::JobPaused, EventKind::JobDone]);
    let running = post.run();
    let mut inside = crowd.inside.subscribe();
    timeout(PATIENCE, inside.wait_for(|&inside| inside == 16))
        .await
        .expect("it works")
        .expect("it works");
    // However often it looks, it takes no more.
    for _again in 0..20 {
        post.wake.notify_one();
        tokio::task::yield_now().await;
    }
    let waiting = |webhook: &Webhook| {
        let mut deliveries = post.deliveries(webhook);
        deliveries.retain(|delivery| delivery.state != DeliveryState::Delivered);
        deliveries.len()
    };
    assert_eq!(webhooks.iter().map(waiting).sum::<usize>(), 40);
    crowd.open.send(true).expect("it works");
    // The last event of all is asked for until it is there: no message says that it is recorded.
    timeout(PATIENCE, async {
        while webhooks.iter().map(waiting).sum::<usize>() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it works");
    assert_eq!(*crowd.most.borrow(), 16);
    running.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_who_never_answers() {
    let mut receiver = Receiver::new([Reply::Never]).await;
    let post = Post::new();
    let (webhook, _) = post.hook(&receiver.url);
    let running = post.run();
    post.append(&DONE);
    assert_eq!(receiver.events(1).await, [1]);
    running.stop().await;
    assert!(matches!(post.deliveries(&webhook)[0].state, DeliveryState::Waiting { .. }));
    // The next one begins with it.
    let running = post.run();
    assert_eq!(receiver.events(1).await, [1]);
    running.stop().await;
    assert_eq!(post.deliveries(&webhook)[0].state, DeliveryState::Delivered);
}

#[test]
fn a_webhook_is_sent_what_it_asked_for_since_it_was_made() {
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it works");
    let _inside = rt.enter();
    let post = Post::new();
    post.append(&DONE);
    let hook = |events: &[EventKind], team: Option<&str>| {
        let events = events.iter().copied().collect();
        let team = team.map(str::to_owned);
        let new = NewWebhook { url: "https://fx.example/".to_owned(), events, team };
        post.book.add_webhook(new, 1)
    };
    assert!(matches!(
        hook(&[], Some("fx")),
        Err(AddWebhookError::UnknownTeam { team }) if team == "fx"
    ));
    post.book.put_team(&Team { team: "fx".to_owned(), budget: None }).expect("it works");
    let all = hook(&[], None).expect("it works").0;
    let ends = hook(&[EventKind::JobDone, EventKind::JobProgress], None).expect("it works").0;
    let fx = hook(&[], Some("fx")).expect("it works").0;
    post.append(&[EventKind::JobProgress, EventKind::JobPaused, EventKind::JobDone]);
    let of_fx = NewEvent { team: Some("fx".to_owned()), ..new(EventKind::JobFailed) };
    post.book.append(vec![of_fx], false).expect("it works");
    assert_eq!(post.book.enqueue().expect("it works"), 3 + 2 + 1);
    assert_eq!(post.book.enqueue().expect("it works"), 0);
    let late = hook(&[], None).expect("it works").0;
    post.append(&DONE);
    assert_eq!(post.book.enqueue().expect("it works"), 1 + 1 + 1);
    let sent = |webhook: &Webhook| -> Vec<u64> {
        post.deliveries(webhook).iter().rev().map(|delivery| delivery.event_id).collect()
    };
    assert_eq!(sent(&all), [3, 4, 5, 6]);
    assert_eq!(sent(&ends), [2, 4, 6]);
    assert_eq!(sent(&late), [6]);
    assert_eq!(sent(&fx), [5]);
    let page = post.book.deliveries(&all.id, Some(5), 1).expect("it works");
    assert_eq!(page.iter().map(|delivery| delivery.event_id).collect::<Vec<_>>(), [4]);

    assert_eq!(post.book.webhooks().expect("it works").len(), 4);
    assert!(post.book.remove_webhook(&all.id).expect("it works"));
    assert!(!post.book.remove_webhook(&all.id).expect("it works"));
    assert!(sent(&all).is_empty());
    assert_eq!(sent(&ends), [2, 4, 6]);
    for _more in 3..HOOKS_MAX {
        hook(&[], None).expect("it works");
    }
    assert!(matches!(hook(&[], None), Err(AddWebhookError::TooMany)));
}

#[test]
fn only_what_can_be_sent_to_is_a_url() {
    for url in ["http://127.0.0.1:8080/hook", "https://fx.example", "http://[::1]/?a=b"] {
        assert_eq!(check_url(url), Ok(()), "{url}");
    }
    let long = format!("https://fx.example/{}", "x".repeat(URL_BYTES_MAX));
    for url in [
        "",
        "fx.example/hook",
        "ftp://fx.example/",
        "file:///etc/passwd",
        "https://",
        "https://otto@fx.example/",
        "https://otto:secret@fx.example/",
        "https://:secret@fx.example/",
        &long,
    ] {
        assert!(check_url(url).is_err(), "{url}");
    }
}
