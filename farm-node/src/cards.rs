//! What graphics cards tell: by the kernel in `/sys/class/drm`, where amdgpu tells all of it and others
//! some or nothing, and by NVIDIA's library, since its driver tells nothing there.

#[cfg(target_os = "linux")]
mod nvml;

use std::fmt;
use std::fs;
use std::path::Path;

/// A graphics card, as far as its driver tells.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Card {
    /// The kernel's name of it, `card0`, or its maker's.
    pub name: String,
    /// Its driver.
    pub driver: Option<String>,
    /// At its edge, °C.
    pub temperature_c: Option<f32>,
    /// Drawn now, watts.
    pub power_w: Option<f32>,
    /// How fast its fan runs, percent of the most it can.
    pub fan_percent: Option<u8>,
    /// How busy it is, with whatever programs.
    pub busy_percent: Option<u8>,
    /// Its own memory, bytes.
    pub memory_bytes: Option<u64>,
    /// Of these in use, by whatever programs.
    pub memory_used_bytes: Option<u64>,
}

impl Card {
    /// Whether its driver tells nothing at all.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        let Self { name, driver, .. } = self;
        *self == Self { name: name.clone(), driver: driver.clone(), ..Self::default() }
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(driver) = &self.driver {
            write!(f, " ({driver})")?;
        }
        let gigabytes = |bytes: u64| bytes as f64 / 1e9;
        let memory = match (self.memory_used_bytes, self.memory_bytes) {
            (Some(used), Some(all)) => {
                Some(format!("{:.1} of {:.1} GB in use", gigabytes(used), gigabytes(all)))
            }
            (_, all) => all.map(|all| format!("{:.1} GB", gigabytes(all))),
        };
        let told = [
            self.temperature_c.map(|c| format!("{c:.0} °C")),
            self.power_w.map(|w| format!("{w:.0} W")),
            self.fan_percent.map(|percent| format!("fan {percent} %")),
            self.busy_percent.map(|percent| format!("{percent} % busy")),
            memory,
        ];
        let told: Vec<String> = told.into_iter().flatten().collect();
        if told.is_empty() {
            return f.write_str(": its driver tells no temperature, power or memory");
        }
        write!(f, ": {}", told.join(", "))
    }
}

/// The machine's graphics cards, and why some of them tell nothing, if that is known.
#[must_use]
pub fn cards() -> (Vec<Card>, Option<String>) {
    with_nvidia(cards_in(Path::new("/sys/class/drm")), of_nvidia())
}

/// The hottest of NVIDIA's cards, °C; those of other drivers are among the kernel's sensors.
pub(crate) fn nvidia_temperature_c() -> Option<f32> {
    of_nvidia().ok()?.iter().filter_map(|card| card.temperature_c).reduce(f32::max)
}

#[cfg(target_os = "linux")]
fn of_nvidia() -> Result<Vec<Card>, String> {
    nvml::cards()
}

#[cfg(not(target_os = "linux"))]
fn of_nvidia() -> Result<Vec<Card>, String> {
    Ok(Vec::new())
}

/// The kernel's list, with what NVIDIA's library tells in the place of its silent cards.
fn with_nvidia(
    mut cards: Vec<Card>,
    told: Result<Vec<Card>, String>,
) -> (Vec<Card>, Option<String>) {
    match told {
        Ok(told) => {
            let is_told =
                |card: &Card| card.driver.as_deref() == Some("nvidia") && !told.is_empty();
            cards.retain(|card| !is_told(card));
            cards.extend(told);
            (cards, None)
        }
        Err(why) => (cards, Some(why)),
    }
}

fn cards_in(folder: &Path) -> Vec<Card> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let numbered = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        // Connectors are listed beside the cards: card0-DP-1.
        let number: u32 = name.strip_prefix("card")?.parse().ok()?;
        Some((number, card(name, &entry.path().join("device"))))
    });
    let mut cards: Vec<(u32, Card)> = numbered.collect();
    cards.sort_by_key(|(number, _)| *number);
    cards.into_iter().map(|(_, card)| card).collect()
}

fn card(name: String, device: &Path) -> Card {
    let driver = fs::read_link(device.join("driver")).ok();
    let driver = driver.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let sensors = fs::read_dir(device.join("hwmon")).ok();
    let sensors = sensors.and_then(|mut folders| Some(folders.next()?.ok()?.path()));
    let sensor = |file: &str| number::<f32>(&sensors.as_ref()?.join(file));
    // Thousandths of a degree, millionths of a watt; newer cards tell the power of the moment only.
    let temperature_c = sensor("temp1_input").map(|thousandths| thousandths / 1e3);
    let power_w = sensor("power1_average").or_else(|| sensor("power1_input"));
    let fan = sensor("pwm1").zip(sensor("pwm1_max").filter(|max| *max > 0.0));
    Card {
        name,
        driver,
        // What is beyond reason is a broken sensor.
        temperature_c: temperature_c.filter(|c| (-50.0..200.0).contains(c)),
        power_w: power_w.map(|millionths| millionths / 1e6).filter(|w| (0.0..5_000.0).contains(w)),
        fan_percent: fan.map(|(now, max)| (now / max * 100.0).round().clamp(0.0, 100.0) as u8),
        busy_percent: number(&device.join("gpu_busy_percent")).filter(|percent| *percent <= 100),
        memory_bytes: number(&device.join("mem_info_vram_total")).filter(|bytes| *bytes > 0),
        memory_used_bytes: number(&device.join("mem_info_vram_used")),
    }
}

fn number<T: std::str::FromStr>(file: &Path) -> Option<T> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (file, text) in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().expect("it has one")).expect("made");
            fs::write(path, text).expect("written");
        }
    }

    #[test]
    fn what_a_driver_tells_is_read_as_the_kernel_writes_it() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(cards_in(folder.path()), []);
        let amd = [
            ("card1/device/hwmon/hwmon3/temp1_input", "61000\n"),
            ("card1/device/hwmon/hwmon3/power1_average", "143000000\n"),
            ("card1/device/hwmon/hwmon3/pwm1", "102\n"),
            ("card1/device/hwmon/hwmon3/pwm1_max", "255\n"),
            ("card1/device/gpu_busy_percent", "97\n"),
            ("card1/device/mem_info_vram_total", "8573157376\n"),
            ("card1/device/mem_info_vram_used", "1073741824\n"),
            ("card1-DP-1/status", "connected\n"),
        ];
        write(folder.path(), &amd);
        // Of the moment only, and nonsense.
        let odd = [
            ("card10/device/hwmon/hwmon0/power1_input", "20000000\n"),
            ("card10/device/hwmon/hwmon0/temp1_input", "-274000\n"),
            ("card10/device/gpu_busy_percent", "busy\n"),
            ("card10/device/mem_info_vram_total", "0\n"),
        ];
        write(folder.path(), &odd);
        write(
            folder.path(),
            &[("card2/device/vendor", "0x10de\n"), ("renderD128/dev", "226:128\n")],
        );
        #[cfg(unix)]
        std::os::unix::fs::symlink(
            "/bus/pci/drivers/nvidia",
            folder.path().join("card2/device/driver"),
        )
        .expect("linked");
        let cards = cards_in(folder.path());
        let words: Vec<String> = cards.iter().map(ToString::to_string).collect();
        assert_eq!(words[0], "card1: 61 °C, 143 W, fan 40 %, 97 % busy, 1.1 of 8.6 GB in use");
        assert!(
            words[1].ends_with("its driver tells no temperature, power or memory"),
            "{words:?}"
        );
        #[cfg(unix)]
        assert!(words[1].starts_with("card2 (nvidia): "), "{words:?}");
        assert_eq!(words[2], "card10: 20 W");
        assert_eq!(cards.iter().map(Card::is_silent).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(cards[0].memory_bytes, Some(8_573_157_376));
    }

    #[test]
    fn nvidias_library_speaks_for_its_cards() {
        let card = |name: &str, driver: &str| Card {
            name: name.to_owned(),
            driver: Some(driver.to_owned()),
            ..Card::default()
        };
        let listed = || vec![card("card0", "amdgpu"), card("card1", "nvidia")];
        let names = |told| {
            let (cards, why) = with_nvidia(listed(), told);
            (cards.into_iter().map(|card| card.name).collect::<Vec<_>>().join(" "), why)
        };
        let told = vec![card("A", "nvidia"), card("B", "nvidia")];
        assert_eq!(names(Ok(told)), ("card0 A B".to_owned(), None));
        assert_eq!(names(Ok(Vec::new())), ("card0 card1".to_owned(), None));
        let away = Err("not here".to_owned());
        assert_eq!(names(away), ("card0 card1".to_owned(), Some("not here".to_owned())));
    }
}
