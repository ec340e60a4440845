//! Sharing work between threads, each with buffers of its own.

use rayon::prelude::*;
use std::sync::Mutex;

/// Rows that a thread takes at once: their values stay in its cache from one product to the next.
const BLOCK_ROWS: usize = 192;

/// Rows of a block when `n_rows` are shared out: a multiple of `unit`, in equal blocks of which every thread gets as
/// many as any other. Few rows make one block a thread, since each block reads every weight.
pub fn block_rows(n_rows: usize, unit: usize) -> usize {
    let n_threads = rayon::current_num_threads();
    let n_blocks = n_rows.div_ceil(BLOCK_ROWS).next_multiple_of(n_threads).max(n_threads);
    n_rows.div_ceil(n_blocks).max(1).next_multiple_of(unit)
}

/// Calls `work` once for every task, on as many threads as there are buffers; a thread that is done takes
/// the next task.
pub fn share_out<T: Send, S: Send>(
    tasks: impl Iterator<Item = T> + Send,
    buffers: &mut [S],
    work: impl Fn(T, &mut S) + Sync,
) {
    let tasks = Mutex::new(tasks);
    let next = || tasks.lock().expect("no task panicked").next();
    buffers.par_iter_mut().for_each(|buffer| {
        while let Some(task) = next() {
            work(task, buffer);
        }
    });
}

/// The first `n` values of a buffer that grows when it must.
pub fn sized(buffer: &mut Vec<f32>, n: usize) -> &mut [f32] {
    if buffer.len() < n {
        buffer.resize(n, 0.0);
    }
    &mut buffer[..n]
}
