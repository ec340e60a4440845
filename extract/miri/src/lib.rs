//! The matrix product and its tests, compiled without the rest of the extract crate. Miri reports no vector features, so
//! [`product::multiply`] takes its scalar arm, which is the same code with vectors of one lane.

#[path = "../../src/cpu/product.rs"]
pub mod product;
