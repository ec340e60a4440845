//! Checkpoints of every family against values of transformers, and files that must be refused.

mod engine;
mod expected;
mod parity;
mod reference;
