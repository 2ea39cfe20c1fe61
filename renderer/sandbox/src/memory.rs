//! How much memory the machine has.

/// Memory for prepared scenes, and of the whole worker, where nothing else is asked for: half of
/// the machine's, and half as much again. Bytes.
#[must_use]
pub fn default_memory_bytes() -> (u64, u64) {
    let half = half_bytes();
    (half, half.saturating_add(half / 2))
}

/// Half of the machine's memory, or 4 GiB where it cannot be learnt.
#[must_use]
pub fn half_bytes() -> u64 {
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_bytes(&text));
    total.map_or(4 << 30, |bytes| bytes / 2)
}

fn total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_and_nonsense_is_none() {
        let text = "MemTotal:       24690524 kB\nMemFree:         1 kB\n";
        assert_eq!(total_bytes(text), Some(24_690_524 * 1024));
        for text in ["", "MemTotal: many kB", "MemTotal: 3 MB"] {
            assert_eq!(total_bytes(text), None, "{text}");
        }
    }
}
