//! What can be seen of the machine and of the person before it.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod logind;
#[cfg(target_os = "linux")]
mod screen;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::{Manners, Observation};

/// How often what changes slowly is looked at.
const SLOW: Duration = Duration::from_secs(2);
/// How long a display and a bus may take for their first word.
#[cfg(target_os = "linux")]
const FIRST_WORD: Duration = Duration::from_millis(500);
/// What a display told longer ago than this is not believed any more.
#[cfg(target_os = "linux")]
const STALE: Duration = Duration::from_secs(10);

/// Looks at the machine again and again.
pub struct Observer {
    manners: Manners,
    data_dir: PathBuf,
    slow: Option<(Instant, Observation)>,
    #[cfg(target_os = "linux")]
    desktop: Desktop,
}

impl Observer {
    /// An observer of what the manners ask about; `data_dir` is where scenes are kept. With
    /// `ready`, the machine's sleep waits a moment for it to be notified.
    #[must_use]
    pub fn new(manners: Manners, data_dir: PathBuf, ready: Option<Arc<Notify>>) -> Self {
        #[cfg(not(target_os = "linux"))]
        drop(ready);
        Self {
            #[cfg(target_os = "linux")]
            desktop: Desktop::begin(&manners, ready),
            manners,
            data_dir,
            slow: None,
        }
    }

    /// Observes for other manners from now on.
    pub(crate) fn heed(&mut self, manners: &Manners) {
        #[cfg(target_os = "linux")]
        self.desktop.heed(manners);
        self.manners.clone_from(manners);
        // What they ask about may not have been looked at.
        self.slow = None;
    }

    /// What is seen now. Keyboard and mouse are looked at each time, the rest every two seconds.
    pub fn look(&mut self) -> Observation {
        let fresh = self.slow.as_ref().is_none_or(|(at, _)| at.elapsed() >= SLOW);
        if fresh {
            let seen = self.look_slowly();
            self.slow = Some((Instant::now(), seen));
        }
        let seen = self.slow.as_ref().map(|(_, seen)| seen.clone()).unwrap_or_default();
        #[cfg(target_os = "linux")]
        let seen = self.desktop.look(seen);
        seen
    }

    #[cfg(target_os = "linux")]
    fn look_slowly(&self) -> Observation {
        Observation {
            time: linux::week_time(),
            exclusive: linux::running(&self.manners.exclusive),
            on_battery: linux::on_battery(),
            temperature_c: self.temperature_c(),
            disk_free_bytes: linux::disk_free_bytes(&self.data_dir),
            ..Observation::default()
        }
    }

    /// The hottest sensor; NVIDIA's cards are asked where there is a rule.
    #[cfg(target_os = "linux")]
    fn temperature_c(&self) -> Option<f32> {
        let of_card = || crate::cards::nvidia_temperature_c();
        let of_card = self.manners.temperature_c_max.and_then(|_max| of_card());
        [linux::temperature_c(), of_card].into_iter().flatten().reduce(f32::max)
    }

    #[cfg(not(target_os = "linux"))]
    fn look_slowly(&self) -> Observation {
        let _not_yet = &self.data_dir;
        Observation::default()
    }
}

/// The hottest sensor of the processor, °C; `None` where none is listed.
pub(crate) fn cpu_temperature_c() -> Option<f32> {
    #[cfg(target_os = "linux")]
    return linux::cpu_temperature_c();
    #[cfg(not(target_os = "linux"))]
    None
}

/// What shows whether somebody is there, and what he wants the machine for.
#[cfg(target_os = "linux")]
struct Desktop {
    inputs: linux::Inputs,
    screen: screen::Screen,
    /// Whether the display is asked for keys all the time.
    closely: bool,
    logind: logind::Logind,
}

#[cfg(target_os = "linux")]
fn display() -> Option<String> {
    std::env::var("DISPLAY").ok()
}

#[cfg(target_os = "linux")]
impl Desktop {
    fn begin(manners: &Manners, ready: Option<Arc<Notify>>) -> Self {
        let inputs = linux::Inputs::open();
        let closely = inputs.must_be_helped(manners);
        Self {
            inputs,
            screen: screen::Screen::begin(display(), closely),
            closely,
            logind: logind::Logind::begin(None, ready),
        }
    }

    /// Asks the display as closely as these manners want.
    fn heed(&mut self, manners: &Manners) {
        let closely = self.inputs.must_be_helped(manners);
        if closely != self.closely {
            self.closely = closely;
            self.screen = screen::Screen::begin(display(), closely);
        }
    }

    /// Adds what is seen now.
    fn look(&mut self, mut seen: Observation) -> Observation {
        let now = std::time::SystemTime::now();
        let (screen, logind) = (self.screen.told().ok(), self.logind.told().ok());
        let display = screen.as_ref().and_then(|told| Some(told.used_at?.elapsed()));
        let user = logind.as_ref().and_then(|told| Some(told.user?.idle(now)));
        seen.idle = idle([self.inputs.idle(), display], user, linux::terminals_idle());
        seen.full_screen = screen.map(|told| told.full_screen);
        seen.sleeps = logind.map(|told| told.sleeps());
        seen
    }
}

/// How long nobody has used the machine: by the input devices and the display, where one of them
/// knows; else by what the desktop says; and by the terminals at all times.
#[cfg(target_os = "linux")]
fn idle(
    by_input: [Option<Duration>; 2],
    by_desktop: Option<Duration>,
    by_terminals: Option<Duration>,
) -> Option<Duration> {
    let by_input = by_input.into_iter().flatten().min();
    [by_input.or(by_desktop), by_terminals].into_iter().flatten().min()
}

/// What can be seen here, for each rule: its name, and how, or why not.
#[must_use]
pub fn can_observe(data_dir: PathBuf) -> Vec<(&'static str, Result<String, String>)> {
    // NVIDIA's cards are asked for a rule only.
    let manners = Manners { temperature_c_max: Some(f32::MAX), ..Manners::default() };
    let mut observer = Observer::new(manners, data_dir, None);
    let seen = observer.look();
    let elsewhere = || format!("not made for {} yet", std::env::consts::OS);
    let missing =
        |linux: &str| if cfg!(target_os = "linux") { linux.to_owned() } else { elsewhere() };
    let programs = seen.exclusive.map(|_| "the names of all programs".to_owned());
    let battery = seen.on_battery.map(|on| if on { "on battery" } else { "on mains" }.to_owned());
    let temperature = seen.temperature_c.map(|c| format!("{c:.0} °C at the hottest sensor"));
    let disk = seen.disk_free_bytes.map(|free| format!("{:.1} GB free", free as f64 / 1e9));
    let time = seen.time.map(|_| "local time".to_owned());
    #[cfg(target_os = "linux")]
    let [keys, full_screen, sleep] = observer.desktop.lines(seen.idle);
    #[cfg(not(target_os = "linux"))]
    let [keys, full_screen, sleep] = [(); 3].map(|()| Err(elsewhere()));
    vec![
        ("keyboard and mouse", keys),
        ("full screen", full_screen),
        ("programs", programs.ok_or_else(|| missing("/proc cannot be read"))),
        ("power", battery.ok_or_else(|| missing("no power supply is listed; taken for mains"))),
        ("temperature", temperature.ok_or_else(|| missing("no sensor is listed"))),
        ("disk", disk.ok_or_else(|| missing("the folder cannot be asked"))),
        ("schedule", time.ok_or_else(|| missing("no local time"))),
        ("sleep", sleep),
    ]
}

#[cfg(target_os = "linux")]
impl Desktop {
    /// What is seen of keys, full screen and sleep, and how.
    fn lines(&self, idle: Option<Duration>) -> [Result<String, String>; 3] {
        let (screen, logind) = (self.screen.told(), self.logind.told());
        let by_display = screen.as_ref().is_ok_and(|told| told.used_at.is_some());
        let by_desktop = logind.as_ref().is_ok_and(|told| told.user.is_some());
        let by = match (self.inputs.can_be_read(), by_display, by_desktop) {
            (true, true, _) => "input devices, the X display",
            (true, false, _) => "input devices",
            (false, true, _) => "the X display",
            (false, false, true) => "what the desktop tells logind",
            (false, false, false) => "terminals only; join the group `input` for the rest",
        };
        let keys = idle.map(|idle| format!("last used {} s ago, by {by}", idle.as_secs()));
        let keys = keys.ok_or_else(|| {
            "no input device can be read, no display and no desktop tells, no terminal is open; join the group `input`".to_owned()
        });
        let full_screen = screen.map_err(|why| format!("{why}; name games with --pause-for"));
        let full_screen = full_screen.map(|told| {
            let program = told.full_screen.map(|program| format!("{program} fills the screen"));
            let program = program.unwrap_or_else(|| "no program fills the screen".to_owned());
            let of_wayland =
                "; Wayland shows older (X11) programs only: name others with --pause-for";
            format!("{program}{}", if told.of_wayland { of_wayland } else { "" })
        });
        let sleep = logind.map(|_told| "logind says so before; leases are given back".to_owned());
        let by_clocks = |why| format!("noticed on waking, by the clocks ({why})");
        [keys, full_screen, sleep.or_else(|why| Ok(by_clocks(why)))]
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_desktop_is_believed_where_nothing_sees_the_keys() {
        let check = |by_input: [Option<u64>; 2], by_desktop, by_terminals, expected| {
            let s = |it: Option<u64>| it.map(Duration::from_secs);
            assert_eq!(idle(by_input.map(s), s(by_desktop), s(by_terminals)), s(expected));
        };
        check([None, None], None, None, None);
        check([None, None], Some(40), None, Some(40));
        check([None, None], Some(40), Some(9), Some(9));
        // A desktop that never calls itself idle stops nothing where the keys are seen.
        check([Some(400), None], Some(0), None, Some(400));
        check([Some(400), Some(70)], Some(0), Some(500), Some(70));
        check([None, None], None, Some(9), Some(9));
    }
}
