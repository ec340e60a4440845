//! Checkpoints of every family against values of transformers, and files that must be refused.

mod damage;
mod edits;
mod engine;
mod expected;
mod hostile;
mod hostile_gguf;
mod parity;
mod published;
mod quantised;
mod reference;
mod shapes;
