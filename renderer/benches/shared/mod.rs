//! Clocks that benchmarks share.

/// Processor seconds of this process so far, all threads; 0 where the system does not tell.
pub fn processor_seconds() -> f64 {
    let Ok(text) = std::fs::read_to_string("/proc/self/stat") else { return 0.0 };
    let after_name = text.rsplit_once(')').map_or("", |(_, after)| after);
    let fields = after_name.split_whitespace().skip(11).take(2);
    // Linux counts hundredths for programs, whatever the kernel's own clock.
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
