//! How much memory the machine has, and its graphics devices.

use std::path::Path;

/// Half of the machine's memory, or 4 GiB where it cannot be learnt.
pub(crate) fn half_bytes() -> u64 {
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_bytes(&text));
    total.map_or(4 << 30, |bytes| bytes / 2)
}

fn total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Memory of the graphics devices, bytes, where their driver tells (amdgpu does). Of several the least:
/// which of them renders is not known here, and more than there is must not be claimed.
pub(crate) fn gpu_bytes() -> Option<u64> {
    least_gpu_bytes(Path::new("/sys/class/drm"))
}

fn least_gpu_bytes(cards: &Path) -> Option<u64> {
    let entries = std::fs::read_dir(cards).ok()?.filter_map(Result::ok);
    let told = entries.filter_map(|entry| {
        let file = entry.path().join("device/mem_info_vram_total");
        std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok()
    });
    told.filter(|bytes| *bytes > 0).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_cards_the_smallest_is_claimed_and_where_none_tells_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(least_gpu_bytes(folder.path()), None);
        let card = |name: &str, text: &str| {
            let device = folder.path().join(name).join("device");
            std::fs::create_dir_all(&device).expect("made");
            std::fs::write(device.join("mem_info_vram_total"), text).expect("written");
        };
        std::fs::create_dir_all(folder.path().join("card0/device")).expect("made");
        card("card1", "a lot\n");
        card("card2", "0\n");
        assert_eq!(least_gpu_bytes(folder.path()), None);
        card("card3", "17163091968\n");
        assert_eq!(least_gpu_bytes(folder.path()), Some(17_163_091_968));
        card("card4", "8573157376\n");
        assert_eq!(least_gpu_bytes(folder.path()), Some(8_573_157_376));
        assert_eq!(least_gpu_bytes(&folder.path().join("nowhere")), None);
    }

    #[test]
    fn the_total_is_read_and_nonsense_is_none() {
        let text = "MemTotal:       24690524 kB\nMemFree:         1 kB\n";
        assert_eq!(total_bytes(text), Some(24_690_524 * 1024));
        for text in ["", "MemTotal: many kB", "MemTotal: 3 MB"] {
            assert_eq!(total_bytes(text), None, "{text}");
        }
    }
}
