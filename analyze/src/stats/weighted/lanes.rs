//! Eight numbers that go through a pass side by side: a cache line, and whole vector registers.

use std::ops::{Add, AddAssign, Index, Mul, Sub};

/// Sets of weights that are evaluated together.
pub(in super::super) const LANES: usize = 8;

/// One number per set of weights. Aligned, because a number in two cache lines costs two reads.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(in super::super) struct Lanes([f64; LANES]);

impl Lanes {
    /// Zeros.
    pub(in super::super) const ZERO: Self = Self([0.0; LANES]);

    /// The same number in every lane.
    #[inline(always)]
    pub(super) fn all(value: f64) -> Self {
        Self([value; LANES])
    }

    /// A number for each lane.
    #[inline(always)]
    pub(in super::super) fn from_fn(number: impl FnMut(usize) -> f64) -> Self {
        Self(std::array::from_fn(number))
    }

    /// A verdict for each lane.
    pub(super) fn test(self, verdict: impl FnMut(f64) -> bool) -> [bool; LANES] {
        self.0.map(verdict)
    }
}

impl Index<usize> for Lanes {
    type Output = f64;

    #[inline(always)]
    fn index(&self, lane: usize) -> &f64 {
        &self.0[lane]
    }
}

impl Add for Lanes {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self::from_fn(|lane| self.0[lane] + other.0[lane])
    }
}

impl Sub for Lanes {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self::from_fn(|lane| self.0[lane] - other.0[lane])
    }
}

impl Mul for Lanes {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self::from_fn(|lane| self.0[lane] * other.0[lane])
    }
}

impl AddAssign for Lanes {
    #[inline(always)]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
