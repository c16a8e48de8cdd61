use std::fs;

use prometheus::proto::MetricFamily;
use prometheus::{Counter, IntGauge, Registry};

/// Clock ticks per second in `/proc`: fixed at 100 for programs on every Linux this is built for.
const TICKS_PER_SECOND: f64 = 100.0;

/// The usual `process_*` metrics, read from `/proc`; where there is none they stay 0.
///
/// Written here because the crate's own collector brings two more dependencies for these seven numbers.
pub(super) struct ProcessMetrics {
    registry: Registry,
    cpu_seconds_total: Counter,
    resident_memory_bytes: IntGauge,
    virtual_memory_bytes: IntGauge,
    open_fds: IntGauge,
    max_fds: IntGauge,
    threads: IntGauge,
    start_time_seconds: IntGauge,
}

impl ProcessMetrics {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let cpu_seconds_total =
            Counter::new("process_cpu_seconds_total", "User and system CPU time of the process.")?;
        registry.register(Box::new(cpu_seconds_total.clone()))?;
        Ok(Self {
            cpu_seconds_total,
            resident_memory_bytes: gauge("process_resident_memory_bytes", "Resident memory.")?,
            virtual_memory_bytes: gauge("process_virtual_memory_bytes", "Virtual memory.")?,
            open_fds: gauge("process_open_fds", "Open file descriptors.")?,
            max_fds: gauge("process_max_fds", "Most file descriptors the process may open.")?,
            threads: gauge("process_threads", "Threads of the process.")?,
            start_time_seconds: gauge("process_start_time_seconds", "Start of the process, Unix time.")?,
            registry,
        })
    }

    pub(super) fn gather(&self) -> Vec<MetricFamily> {
        self.read_proc();
        self.registry.gather()
    }

    fn read_proc(&self) {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let status = read("/proc/self/status");
        self.resident_memory_bytes.set(field(&status, "VmRSS:").unwrap_or(0) * 1024);
        self.virtual_memory_bytes.set(field(&status, "VmSize:").unwrap_or(0) * 1024);
        self.threads.set(field(&status, "Threads:").unwrap_or(0));
        self.max_fds.set(field(&read("/proc/self/limits"), "Max open files").unwrap_or(0));
        let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        self.open_fds.set(i64::try_from(open).unwrap_or(i64::MAX));

        let Some(times) = Times::parse(&read("/proc/self/stat")) else { return };
        let newer = times.cpu_seconds - self.cpu_seconds_total.get();
        if newer > 0.0 {
            self.cpu_seconds_total.inc_by(newer);
        }
        if let Some(booted) = field(&read("/proc/stat"), "btime") {
            self.start_time_seconds.set(booted + times.started_after_boot_s);
        }
    }
}

/// The first number after `name` at the beginning of a line.
fn field(text: &str, name: &str) -> Option<i64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

struct Times {
    cpu_seconds: f64,
    started_after_boot_s: i64,
}

impl Times {
    /// Fields 14, 15 and 22 of `/proc/<pid>/stat`, counted after the name, which may hold spaces and brackets.
    fn parse(stat: &str) -> Option<Self> {
        let after_name: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| -> Option<u32> { after_name.get(at)?.parse().ok() };
        let started: i64 = after_name.get(19)?.parse().ok()?;
        Some(Self {
            cpu_seconds: (f64::from(ticks(11)?) + f64::from(ticks(12)?)) / TICKS_PER_SECOND,
            started_after_boot_s: started / 100,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b) R 1 1 1 0 -1 0 9 0 0 0 150 50 0 0 20 0 3 0 4200 1 1";
        let times = Times::parse(stat).unwrap();
        assert!((times.cpu_seconds - 2.0).abs() < 1e-9);
        assert_eq!(times.started_after_boot_s, 42);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_memory_files_and_a_start() {
        let process = ProcessMetrics::new().unwrap();
        process.gather();
        assert!(process.resident_memory_bytes.get() > 1 << 20);
        assert!(process.open_fds.get() > 2);
        assert!(process.max_fds.get() > 2);
        assert!(process.start_time_seconds.get() > 1_700_000_000);
    }
}
