//! How much memory a query may use where nobody has said it: half of what there is for this process.
//!
//! What counts is what the machine has and what its control groups allow (a container's limit); other systems than Linux
//! say nothing, and then there is no limit. Half, because not everything that a query makes is counted.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

/// The limit in bytes; none: it is not known what there is.
pub(crate) fn default_limit() -> Option<u64> {
    static LIMIT: OnceLock<Option<u64>> = OnceLock::new();
    *LIMIT.get_or_init(|| {
        let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
        let groups = fs::read_to_string("/proc/self/cgroup").ok();
        let group = groups
            .and_then(|text| allowed(&text, |file| fs::read_to_string(Path::new("/sys/fs/cgroup").join(file)).ok()));
        machine.into_iter().chain(group).min().map(|bytes| bytes / 2)
    })
}

/// What a machine has, of the text of `/proc/meminfo`.
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The least that control groups allow, of the text of `/proc/self/cgroup`; `read` reads a file below their folder.
fn allowed(groups: &str, read: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let mut least: Option<u64> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(kinds), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (folder, file) = match kinds {
            "" => ("", "memory.max"),
            kinds if kinds.split(',').any(|kind| kind == "memory") => ("memory/", "memory.limit_in_bytes"),
            _ => continue,
        };
        // A group is limited by those that it lies in, too. In a container its own is the root, whatever its path says.
        let mut path = path.trim_matches('/');
        loop {
            let below = if path.is_empty() { String::new() } else { format!("{path}/") };
            let bytes = read(&format!("{folder}{below}{file}")).and_then(|text| text.trim().parse::<u64>().ok());
            least = least.into_iter().chain(bytes).min();
            if path.is_empty() {
                break;
            }
            path = path.rsplit_once('/').map_or("", |(outer, _)| outer);
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_says_how_much_it_has() {
        assert_eq!(total("MemFree: 12 kB\nMemTotal:       24576000 kB\n"), Some(24_576_000 * 1024));
        assert_eq!(total("nothing"), None);
    }

    #[test]
    fn the_least_of_all_groups_counts() {
        let second = |file: &str| match file {
            "a/b/memory.max" => Some("max\n".to_string()),
            "a/memory.max" => Some("4000000000\n".to_string()),
            "memory.max" => Some("9000000000\n".to_string()),
            _ => None,
        };
        assert_eq!(allowed("0::/a/b\n", second), Some(4_000_000_000));
        let first = |file: &str| (file == "memory/memory.limit_in_bytes").then(|| "123\n".to_string());
        assert_eq!(allowed("7:cpu,cpuacct:/x\n4:memory:/gone/here\n0::/\n", first), Some(123));
        assert_eq!(allowed("0::/\n", |_| None), None);
        assert_eq!(allowed("strange", |_| Some("1".to_string())), None);
    }
}
