//! What can be seen of the machine and of the person before it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Manners, Observation};

/// How often what changes slowly is looked at.
const SLOW: Duration = Duration::from_secs(2);

/// Looks at the machine again and again.
pub struct Observer {
    manners: Manners,
    data_dir: PathBuf,
    slow: Option<(Instant, Observation)>,
    #[cfg(target_os = "linux")]
    inputs: linux::Inputs,
}

impl Observer {
    /// An observer of what the manners ask about; `data_dir` is where scenes are kept.
    #[must_use]
    pub fn new(manners: Manners, data_dir: PathBuf) -> Self {
        Self {
            manners,
            data_dir,
            slow: None,
            #[cfg(target_os = "linux")]
            inputs: linux::Inputs::open(),
        }
    }

    /// What is seen now. Keyboard and mouse are looked at each time, the rest every two seconds.
    pub fn look(&mut self) -> Observation {
        let fresh = self.slow.as_ref().is_none_or(|(at, _)| at.elapsed() >= SLOW);
        if fresh {
            let seen = self.look_slowly();
            self.slow = Some((Instant::now(), seen));
        }
        let mut seen = self.slow.as_ref().map(|(_, seen)| seen.clone()).unwrap_or_default();
        #[cfg(target_os = "linux")]
        {
            seen.idle = self.inputs.idle();
        }
        seen
    }

    #[cfg(target_os = "linux")]
    fn look_slowly(&self) -> Observation {
        Observation {
            time: linux::week_time(),
            idle: None,
            exclusive: linux::running(&self.manners.exclusive),
            on_battery: linux::on_battery(),
            temperature_c: linux::temperature_c(),
            disk_free_bytes: linux::disk_free_bytes(&self.data_dir),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn look_slowly(&self) -> Observation {
        let _not_yet = &self.data_dir;
        Observation::default()
    }
}

/// What can be seen here, for each rule: its name, and how, or why not.
#[must_use]
pub fn can_observe(data_dir: PathBuf) -> Vec<(&'static str, Result<String, String>)> {
    let seen = Observer::new(Manners::default(), data_dir).look();
    let elsewhere = || format!("not made for {} yet", std::env::consts::OS);
    let missing =
        |linux: &str| if cfg!(target_os = "linux") { linux.to_owned() } else { elsewhere() };
    let idle = match seen.idle {
        Some(idle) => Ok(format!("last used {} s ago", idle.as_secs())),
        None => Err(missing(
            "no input device can be read and no terminal is open; join the group `input`",
        )),
    };
    let programs = seen.exclusive.map(|_| "the names of all programs".to_owned());
    let battery = seen.on_battery.map(|on| if on { "on battery" } else { "on mains" }.to_owned());
    let temperature = seen.temperature_c.map(|c| format!("{c:.0} °C at the hottest sensor"));
    let disk = seen.disk_free_bytes.map(|free| format!("{:.1} GB free", free as f64 / 1e9));
    let time = seen.time.map(|_| "local time".to_owned());
    vec![
        ("keyboard and mouse", idle),
        ("programs", programs.ok_or_else(|| missing("/proc cannot be read"))),
        ("power", battery.ok_or_else(|| missing("no power supply is listed; taken for mains"))),
        ("temperature", temperature.ok_or_else(|| missing("no sensor is listed"))),
        ("disk", disk.ok_or_else(|| missing("the folder cannot be asked"))),
        ("schedule", time.ok_or_else(|| missing("no local time"))),
        ("full screen", Err("not observed yet; name games with --pause-for".to_owned())),
    ]
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{self, File};
    use std::io::{ErrorKind, Read as _};
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
    use std::path::Path;
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    use crate::manners::WeekTime;

    /// Input devices that may be read, and when one last said something.
    pub(super) struct Inputs {
        devices: Vec<File>,
        last: Instant,
    }

    impl Inputs {
        pub(super) fn open() -> Self {
            let entries = fs::read_dir("/dev/input").into_iter().flatten().flatten();
            let events =
                entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("event"));
            let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
            let open = |path| File::options().read(true).custom_flags(nonblocking).open(path).ok();
            let devices = events.filter_map(|entry| open(entry.path())).collect();
            // Whoever started the node was here a moment ago.
            Self { devices, last: Instant::now() }
        }

        /// Time since the last key, movement, or word typed into a terminal.
        pub(super) fn idle(&mut self) -> Option<Duration> {
            let (mut bytes, last) = ([0; 4096], &mut self.last);
            self.devices.retain_mut(|device| {
                loop {
                    match device.read(&mut bytes) {
                        // Whatever came is an event; what it says is nobody's business.
                        Ok(count) if count > 0 => *last = Instant::now(),
                        Ok(_nothing) => break true,
                        Err(error) => break error.kind() == ErrorKind::WouldBlock,
                    }
                }
            });
            let by_devices = (!self.devices.is_empty()).then(|| self.last.elapsed());
            [by_devices, terminals_idle()].into_iter().flatten().min()
        }
    }

    /// Time since somebody typed into a terminal: reading it notes the time.
    fn terminals_idle() -> Option<Duration> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let entries = fs::read_dir("/dev/pts").ok()?.flatten();
        let times = entries.filter(|entry| entry.file_name() != "ptmx");
        let times = times.filter_map(|entry| u64::try_from(entry.metadata().ok()?.atime()).ok());
        times.map(|time| Duration::from_secs(now.saturating_sub(time))).min()
    }

    /// The first of these programs that runs.
    pub(super) fn running(names: &[String]) -> Option<Option<String>> {
        let mut processes = fs::read_dir("/proc").ok()?.flatten();
        if names.is_empty() {
            return Some(None);
        }
        Some(processes.find_map(|entry| {
            let name = fs::read_to_string(entry.path().join("comm")).ok()?;
            // The kernel keeps fifteen characters of it.
            let same = |wanted: &&String| wanted.chars().take(15).eq(name.trim_end().chars());
            names.iter().find(same).cloned()
        }))
    }

    /// Whether mains is off and a battery there; none where nothing is listed.
    pub(super) fn on_battery() -> Option<bool> {
        let read = |path: &Path, name: &str| fs::read_to_string(path.join(name)).ok();
        let (mut mains, mut discharging, mut any) = (false, false, false);
        for entry in fs::read_dir("/sys/class/power_supply").ok()?.flatten() {
            any = true;
            let path = entry.path();
            mains |= read(&path, "online").is_some_and(|online| online.trim() == "1");
            // A mouse has a battery of its own.
            let of_machine = read(&path, "scope").is_none_or(|scope| scope.trim() != "Device");
            let status = read(&path, "status");
            discharging |= of_machine && status.is_some_and(|it| it.trim() == "Discharging");
        }
        any.then_some(discharging && !mains)
    }

    /// The hottest sensor, °C.
    pub(super) fn temperature_c() -> Option<f32> {
        let sensors = fs::read_dir("/sys/class/hwmon").ok()?.flatten();
        let files = sensors.filter_map(|sensor| fs::read_dir(sensor.path()).ok());
        let inputs = files.flatten().flatten().filter(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            name.starts_with("temp") && name.ends_with("_input")
        });
        let read =
            inputs.filter_map(|file| fs::read_to_string(file.path()).ok()?.trim().parse().ok());
        // Thousandths; what is beyond reason is a broken sensor.
        let degrees = read.map(|thousandths: f32| thousandths / 1000.0);
        degrees.filter(|c| (-50.0..200.0).contains(c)).reduce(f32::max)
    }

    pub(super) fn disk_free_bytes(path: &Path) -> Option<u64> {
        let stat = rustix::fs::statvfs(path).ok()?;
        stat.f_bavail.checked_mul(stat.f_frsize)
    }

    pub(super) fn week_time() -> Option<WeekTime> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let now = libc::time_t::try_from(now).ok()?;
        let mut local = std::mem::MaybeUninit::<libc::tm>::uninit();
        #[expect(unsafe_code, reason = "the standard library knows no local time")]
        // SAFETY: both pointers are of live values of the right types; a result that is not null
        // means that the second was written.
        let local = unsafe {
            if libc::localtime_r(&raw const now, local.as_mut_ptr()).is_null() {
                return None;
            }
            local.assume_init()
        };
        // Sunday is 0 there.
        let day = u32::try_from(local.tm_wday).ok()? + 6;
        let minute = u32::try_from(local.tm_hour * 60 + local.tm_min).ok()?;
        Some(WeekTime::new(day, minute))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_program_that_runs_is_found_by_its_name() {
            let own = fs::read_to_string("/proc/self/comm").expect("Linux").trim_end().to_owned();
            assert_eq!(running(&["no such program".to_owned(), own.clone()]), Some(Some(own)));
            assert_eq!(running(&["no such program".to_owned()]), Some(None));
        }

        #[test]
        fn disk_and_time_can_be_seen() {
            assert!(disk_free_bytes(Path::new("/")).is_some());
            assert!(week_time().is_some());
        }
    }
}
