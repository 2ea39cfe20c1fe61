//! What NVIDIA's library (NVML) tells of the cards of its driver. The driver brings it, and it is loaded
//! where the driver is: not before, since to ask wakes a card that sleeps.

use std::path::Path;
use std::sync::OnceLock;

use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::error::NvmlError;

use super::Card;

/// Where the driver shows that it is loaded.
const DRIVER: &str = "/proc/driver/nvidia";
/// Cards that are looked at.
const CARDS_MAX: u32 = 64;

/// Its cards; nothing where its driver is not loaded, and why not where the library does not tell.
pub(super) fn cards() -> Result<Vec<Card>, String> {
    if !Path::new(DRIVER).exists() {
        return Ok(Vec::new());
    }
    static LIBRARY: OnceLock<Result<Nvml, String>> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| opened(Nvml::init()));
    let library = library.as_ref().map_err(Clone::clone)?;
    let count = library.device_count().map_err(|why| words(&why))?;
    Ok((0..count.min(CARDS_MAX)).filter_map(|index| card(library, index)).collect())
}

fn opened(library: Result<Nvml, NvmlError>) -> Result<Nvml, String> {
    library.map_err(|why| words(&why))
}

fn words(why: &NvmlError) -> String {
    format!("NVIDIA's library (libnvidia-ml.so.1) does not tell of its cards: {why}")
}

fn card(library: &Nvml, index: u32) -> Option<Card> {
    let device = library.device_by_index(index).ok()?;
    let memory = device.memory_info().ok();
    let busy = device.utilization_rates().ok();
    Some(Card {
        name: device.name().unwrap_or_else(|_unnamed| format!("card {index}")),
        driver: Some("nvidia".to_owned()),
        temperature_c: device.temperature(TemperatureSensor::Gpu).ok().map(|c| c as f32),
        // Thousandths.
        power_w: device.power_usage().ok().map(|milliwatts| milliwatts as f32 / 1e3),
        // Of the first one: all of a card's are steered alike.
        fan_percent: device.fan_speed(0).ok().and_then(|percent| u8::try_from(percent).ok()),
        busy_percent: busy.and_then(|busy| u8::try_from(busy.gpu).ok()),
        memory_bytes: memory.as_ref().map(|memory| memory.total),
        memory_used_bytes: memory.map(|memory| memory.used),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_not_there_is_a_plain_word() {
        let path = Path::new("/nowhere/libnvidia-ml.so.1");
        let error = opened(Nvml::builder().lib_path(path.as_os_str()).init()).err();
        let error = error.expect("it is not there");
        assert!(error.starts_with("NVIDIA's library (libnvidia-ml.so.1) does not tell"), "{error}");
        // Nor is it looked for where its driver is not.
        if !Path::new(DRIVER).exists() {
            assert_eq!(cards(), Ok(Vec::new()));
        }
    }
}
