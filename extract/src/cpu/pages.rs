//! Large buffers in pages of their own.

use memmap2::MmapMut;

/// Values in memory of their own: whole pages, so that vectors lie on cache lines.
#[derive(Debug)]
pub struct Pages {
    map: MmapMut,
    n: usize,
}

impl Pages {
    /// `n` zeros.
    ///
    /// # Panics
    /// When there is no memory.
    pub fn new(n: usize) -> Self {
        let map = MmapMut::map_anon(n.max(1) * size_of::<f32>()).expect("memory for weights and rows");
        Self { map, n }
    }

    /// Asks for large pages, which spare a processor looking up where many small ones lie: for what is made once and
    /// read again and again. Making them can take longer: on a virtual machine that gives free memory back, keys and
    /// values in large pages cost 0.2 to 0.5 s of 27, and were read no faster.
    pub fn in_large_pages(self) -> Self {
        // Advice: a system without large pages gives small ones.
        #[cfg(target_os = "linux")]
        let _ = self.map.advise(memmap2::Advice::HugePage);
        self
    }

    /// The values.
    pub fn values(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.map)[..self.n]
    }

    /// The values, to be written.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut(&mut self.map)[..self.n]
    }

    /// Makes it `n` values: those that were there and, if they become more, some of any finite content. If there was no
    /// room for them they move, into pages of ordinary size, and behind values that are moved there is room for as many
    /// again: what grows step by step is copied a few times only, and pages that nobody writes to take no memory.
    ///
    /// # Panics
    /// When there is no memory.
    pub fn resize(&mut self, n: usize) {
        if n * size_of::<f32>() > self.map.len() {
            let mut larger = Self::new(n.max(2 * self.n));
            larger.values_mut()[..self.n].copy_from_slice(self.values());
            *self = larger;
        }
        self.n = n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_keeps_what_was_there() {
        let mut pages = Pages::new(2);
        pages.values_mut().copy_from_slice(&[1.0, 2.0]);
        pages.resize(100_000);
        assert_eq!((pages.values()[..2].to_vec(), pages.values().len()), (vec![1.0, 2.0], 100_000));
        pages.resize(1);
        assert_eq!(pages.values(), [1.0]);
    }
}
