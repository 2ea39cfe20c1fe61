//! The list without a window.

use protocol::{Assurance, FrameRange, JobSpec, PublicKey, RenderSettings, SceneId};

use super::*;
use crate::state::{Event, book};

/// A job of sixty units, half of whose price is spent.
pub(crate) fn job(seed: u8, name: &str, status: JobStatus) -> JobSummary {
    let spec = JobSpec {
        name: name.to_owned(),
        scene: SceneId([0; 32]),
        settings: RenderSettings::default(),
        more_cameras: Vec::new(),
        frames: FrameRange::STILL,
        tile_side_px: 64,
        base: None,
        noise: None,
        needs: protocol::Needs::default(),
    };
    JobSummary {
        job: JobId([seed; 16]),
        spec,
        artist: PublicKey([0; 32]),
        status,
        reason: None,
        priority: Priority::default(),
        stops_ms: None,
        wanted_by_ms: None,
        done_ms: None,
        memory: protocol::Footprint::default(),
        nodes_here: None,
        units: 60,
        units_accepted: 0,
        price: Tokens::from_micro(3_600_000),
        price_per_gray: Tokens::ZERO,
        assurance: Assurance::default(),
        spent: Tokens::from_micro(if matches!(status, JobStatus::Done) { 400_000 } else { 0 }),
        refunded: Tokens::ZERO,
        ordered_ms: 1_000_000 - u64::from(seed),
        ended_ms: None,
        expired: false,
        scene_dropped: false,
    }
}

fn five() -> Vec<JobSummary> {
    use JobStatus::{Done, Failed, Paused, Rendering, Waiting};
    let stand = [Rendering, Done, Failed, Waiting, Paused];
    (1..).zip(stand).map(|(seed, status)| job(seed, &format!("shot_{seed}"), status)).collect()
}

fn state() -> State {
    let mut state = State { link: Link::Connected, ..State::default() };
    state.apply(Event::Book(book::Event::Jobs(Ok(five()))));
    state
}

fn wish(state: &mut State, wish: Wish) -> Vec<Ask> {
    state.act(Command::Jobs(wish))
}

fn id(seed: u8) -> JobId {
    JobId([seed; 16])
}

/// Numbers of the chosen jobs.
fn chosen(state: &State) -> Vec<u8> {
    state.jobs.chosen().iter().map(|job| job.0[0]).collect()
}

fn listed(state: &State) -> Vec<u8> {
    let list = state.book.job_list();
    state.jobs.rows().iter().map(|row| list[*row as usize].job.0[0]).collect()
}

#[test]
fn rows_are_put_in_order_when_something_changes_and_not_else() {
    let mut state = state();
    assert_eq!((listed(&state), state.jobs.arrangements()), (vec![1, 2, 3, 4, 5], 1));
    state.apply(Event::Now(5));
    wish(&mut state, Wish::Choose(id(3)));
    assert_eq!(state.jobs.arrangements(), 1);
    wish(&mut state, Wish::SortBy(Column::Ordered));
    assert_eq!((listed(&state), state.jobs.arrangements()), (vec![5, 4, 3, 2, 1], 2));
    wish(&mut state, Wish::Filter("-status:done".to_owned()));
    assert_eq!((listed(&state), state.jobs.arrangements()), (vec![5, 4, 3, 1], 3));
    let mut jobs = five();
    jobs[0].status = JobStatus::Done;
    state.apply(Event::Book(book::Event::Jobs(Ok(jobs))));
    assert_eq!((listed(&state), state.jobs.arrangements()), (vec![5, 4, 3], 4));
}

#[test]
fn a_text_that_is_no_filter_leaves_the_list_as_it_is() {
    let mut state = state();
    wish(&mut state, Wish::Filter("status:failed".to_owned()));
    wish(&mut state, Wish::Filter("status:failed price:x".to_owned()));
    assert_eq!(listed(&state), [3]);
    assert_eq!(state.jobs.trouble.as_ref().map(|it| it.at.clone()), Some(14..21));
    wish(&mut state, Wish::Filter(String::new()));
    assert_eq!((listed(&state).len(), &state.jobs.trouble), (5, &None));
}

#[test]
fn jobs_are_chosen_as_in_any_list() {
    let mut state = state();
    wish(&mut state, Wish::Choose(id(2)));
    wish(&mut state, Wish::ChooseThrough(id(4)));
    assert_eq!(chosen(&state), [2, 3, 4]);
    wish(&mut state, Wish::ChooseThrough(id(1)));
    assert_eq!(chosen(&state), [1, 2], "from where it began");
    wish(&mut state, Wish::Toggle(id(5)));
    wish(&mut state, Wish::Toggle(id(2)));
    assert_eq!(chosen(&state), [1, 5]);
    wish(&mut state, Wish::ChooseAll);
    assert_eq!(chosen(&state), [1, 2, 3, 4, 5]);
    wish(&mut state, Wish::ChooseNone);
    assert!(chosen(&state).is_empty());
}

#[test]
fn one_walks_through_the_list_by_keys() {
    let mut state = state();
    let step = |by, extends| Wish::Step { by, extends };
    wish(&mut state, step(isize::MAX, false));
    assert_eq!(chosen(&state), [5], "the last, from nowhere");
    let mut state = self::state();
    wish(&mut state, step(1, false));
    assert_eq!(chosen(&state), [1], "the first");
    wish(&mut state, step(1, false));
    wish(&mut state, step(2, true));
    assert_eq!(chosen(&state), [2, 3, 4]);
    wish(&mut state, step(-1, true));
    assert_eq!(chosen(&state), [2, 3]);
    wish(&mut state, Wish::ToggleHere);
    assert_eq!(chosen(&state), [2]);
    wish(&mut state, step(99, false));
    assert_eq!(chosen(&state), [5], "no further than the end");
    wish(&mut state, step(-99, false));
    assert_eq!(chosen(&state), [1]);
}

#[test]
fn what_is_not_listed_is_not_chosen() {
    let mut state = state();
    wish(&mut state, Wish::ChooseAll);
    wish(&mut state, Wish::Filter("status:rendering,paused".to_owned()));
    assert_eq!((chosen(&state), state.jobs.tally().jobs), (vec![1, 5], 2));
    wish(&mut state, Wish::Filter(String::new()));
    assert_eq!(chosen(&state), [1, 5]);
}

#[test]
fn what_can_be_done_is_counted_and_what_cannot_has_a_reason() {
    let mut state = state();
    assert_eq!(state.can_do(Deed::Stop), Err("Select jobs first"));
    wish(&mut state, Wish::ChooseAll);
    let counts = Deed::ALL.map(|deed| state.can_do(deed));
    assert_eq!(counts, [Ok(3), Ok(2), Ok(1), Ok(3), Ok(3), Ok(3)]);
    for deed in Deed::ALL {
        assert_eq!(Ok(state.suited(deed).len()), state.can_do(deed), "{deed:?}");
    }
    let refused = |state: &State, deed| state.can_do(deed).expect_err("not now");
    wish(&mut state, Wish::Choose(id(5)));
    assert!(refused(&state, Deed::Pause).contains("paused already"));
    wish(&mut state, Wish::Choose(id(1)));
    assert!(refused(&state, Deed::Resume).contains("Nothing"));
    wish(&mut state, Wish::Choose(id(3)));
    assert!(refused(&state, Deed::Cancel).contains("over"));
    assert!(refused(&state, Deed::Retry).contains("Order it again"));
    wish(&mut state, Wish::Choose(id(1)));
    state.link = Link::Connecting;
    assert!(refused(&state, Deed::Pause).contains("reached"));
}

#[test]
fn a_tally_sums_up_what_would_happen() {
    let mut jobs = five();
    jobs[0].units_accepted = 31;
    jobs[0].spent = Tokens::from_micro(1_000_000);
    jobs[4].spent = Tokens::from_micro(9_000_000);
    let tally = Tally::of(jobs.iter());
    assert_eq!((tally.jobs, tally.running, tally.paused), (5, 3, 1));
    assert_eq!((tally.units, tally.units_accepted), (300, 31));
    // 2.6 of the first, 3.6 of the fourth, nothing of one that has spent more than its price.
    assert_eq!(tally.returns, Tokens::from_micro(6_200_000));
    assert_eq!(tally.price, Tokens::from_micro(18_000_000));
}

#[test]
fn each_chosen_job_is_steered_by_itself_and_ending_is_asked_first() {
    let mut state = state();
    wish(&mut state, Wish::ChooseAll);
    let steered = |asks: &[Ask]| -> Vec<(u8, Steering)> {
        let of = |ask: &Ask| match ask {
            Ask::Steer(it) => Some((it.job.0[0], it.steering)),
            _other => None,
        };
        asks.iter().filter_map(of).collect()
    };
    let asks = wish(&mut state, Wish::Do(Deed::Pause));
    assert_eq!(steered(&asks), [(1, Steering::Pause), (4, Steering::Pause)]);
    assert_eq!(steered(&wish(&mut state, Wish::Do(Deed::Pause))), [], "it is under way");
    assert_eq!(steered(&wish(&mut state, Wish::Do(Deed::Stop))), []);
    let sheet = Sheet::EndMany { jobs: vec![id(1), id(4), id(5)], steering: Steering::Stop };
    assert_eq!(state.sheet, Some(sheet));
    let jobs = vec![id(1), id(4)];
    let asks = wish(&mut state, Wish::Steer { jobs, steering: Steering::Stop });
    assert_eq!(steered(&asks), [(1, Steering::Stop), (4, Steering::Stop)]);
    assert_eq!(state.sheet, None);
    wish(&mut state, Wish::Do(Deed::Prefer));
    assert!(matches!(&state.sheet, Some(Sheet::Prefer { jobs, priority: 50 }) if jobs.len() == 3));
}

#[test]
fn how_one_looks_at_the_list_is_remembered() {
    let mut state = state();
    wish(&mut state, Wish::Filter("status:failed".to_owned()));
    wish(&mut state, Wish::SortBy(Column::Price));
    let asks = wish(&mut state, Wish::Show(Column::Refunded, false));
    let [Ask::Remember(settings)] = &asks[..] else { panic!("{asks:?}") };
    let text = toml::to_string(settings).expect("it writes");
    let read: crate::state::settings::Settings = toml::from_str(&text).expect("it reads");
    assert_eq!(read.jobs, settings.jobs);
    let mut again = State::new(read);
    again.apply(Event::Book(book::Event::Jobs(Ok(five()))));
    assert_eq!(listed(&again), [3]);
    assert_eq!(again.settings.jobs.sort, Sort { column: Column::Price, descending: true });
    assert!(!again.settings.jobs.shown().any(|it| it == Column::Refunded));
    wish(&mut again, Wish::Show(Column::Refunded, true));
    assert!(again.settings.jobs.shown().any(|it| it == Column::Refunded));
}
