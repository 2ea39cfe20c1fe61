//! What Linux shows of a machine in files.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::manners::{Manners, WeekTime};

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

    /// Whether there is a device that can be read.
    pub(super) fn can_be_read(&self) -> bool {
        !self.devices.is_empty()
    }

    /// Whether the display must be asked about keys: devices that can be read say it sooner.
    pub(super) fn must_be_helped(&self, manners: &Manners) -> bool {
        manners.away_minutes.is_some() && !self.can_be_read()
    }

    /// Time since the last key or movement.
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
        self.can_be_read().then(|| self.last.elapsed())
    }
}

/// Time since somebody typed into a terminal: reading it notes the time.
pub(super) fn terminals_idle() -> Option<Duration> {
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

/// Where the kernel lists sensors.
const SENSORS: &str = "/sys/class/hwmon";
/// Its names of those in processors: Intel's, AMD's, and those of boards that have all in one.
const OF_PROCESSORS: [&str; 5] = ["coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal"];

/// The hottest sensor, °C.
pub(super) fn temperature_c() -> Option<f32> {
    hottest_c(Path::new(SENSORS), |_any| true)
}

/// The hottest sensor of a processor, °C.
pub(super) fn cpu_temperature_c() -> Option<f32> {
    hottest_c(Path::new(SENSORS), |name| OF_PROCESSORS.contains(&name))
}

/// The hottest of the sensors in a folder whose chip has a wanted name, °C.
fn hottest_c(folder: &Path, wanted: impl Fn(&str) -> bool) -> Option<f32> {
    let sensors = fs::read_dir(folder).ok()?.flatten();
    let named = sensors.filter(|sensor| {
        let name = fs::read_to_string(sensor.path().join("name")).unwrap_or_default();
        wanted(name.trim())
    });
    let files = named.filter_map(|sensor| fs::read_dir(sensor.path()).ok());
    let inputs = files.flatten().flatten().filter(|file| {
        let name = file.file_name().to_string_lossy().into_owned();
        name.starts_with("temp") && name.ends_with("_input")
    });
    let read = inputs.filter_map(|file| fs::read_to_string(file.path()).ok()?.trim().parse().ok());
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
    fn a_processor_is_told_from_a_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let any = || hottest_c(folder.path(), |_any| true);
        let of_processor = || hottest_c(folder.path(), |name| OF_PROCESSORS.contains(&name));
        assert_eq!((any(), of_processor()), (None, None));
        let chips = [
            ("hwmon0", "nvme", ["71850", "20000"]),
            ("hwmon1", "k10temp", ["55125", "61000"]),
            ("hwmon2", "coretemp", ["-274000", "hot"]),
        ];
        for (chip, name, thousandths) in chips {
            let chip = folder.path().join(chip);
            fs::create_dir(&chip).expect("made");
            fs::write(chip.join("name"), format!("{name}\n")).expect("written");
            for (number, reading) in thousandths.iter().enumerate() {
                let file = format!("temp{}_input", number + 1);
                fs::write(chip.join(file), format!("{reading}\n")).expect("written");
            }
        }
        assert_eq!((any(), of_processor()), (Some(71.85), Some(61.0)));
    }

    #[test]
    fn disk_and_time_can_be_seen() {
        assert!(disk_free_bytes(Path::new("/")).is_some());
        assert!(week_time().is_some());
    }
}
