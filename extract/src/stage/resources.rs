//! What an extraction may use of the machine. No number in a table depends on it.

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// Limits that a user sets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resources {
    /// Bytes of memory; what is available when the stage begins, if not given.
    pub memory_bytes: Option<u64>,
}

impl Resources {
    /// Bytes of memory that may be used: the limit, or what the machine, or the control group that this process runs
    /// in, has available.
    pub fn available_bytes(&self) -> u64 {
        self.memory_bytes.unwrap_or_else(|| {
            let memory = MemoryRefreshKind::nothing().with_ram();
            let system = System::new_with_specifics(RefreshKind::nothing().with_memory(memory));
            match system.cgroup_limits() {
                Some(limits) => limits.free_memory.min(system.available_memory()),
                None => system.available_memory(),
            }
        })
    }
}
