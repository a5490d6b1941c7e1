//! The conversation of `conversation.rs` without std, where a forgotten `use std` anywhere in the tree ends in a link error.
//!
//! | target | entry | how it ends |
//! |---|---|---|
//! | x86_64-unknown-linux-gnu, no libc | `_start` | exit code: 0, or the number of the check that failed; 101 for a panic |
//! | wasm32-unknown-unknown | `conversation()` | the same number as its value; a trap for a panic |
//! | bare metal | `_start` | linked only |
#![no_std]
#![no_main]

mod conversation;
mod runtime;

/// Plays the conversation: 0, or the number of the check that failed.
#[unsafe(export_name = "conversation")]
extern "C" fn play() -> u32 {
    conversation::play().map_or_else(|check| check as u32, |()| 0)
}
