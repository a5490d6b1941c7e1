//! An allocator that counts: calls, bytes handed out, and the most that was held at once.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ops::AddAssign,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use crate::wiped;

/// The system's allocator, counted.
pub(crate) struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn note(size: usize) {
    CALLS.fetch_add(1, Relaxed);
    BYTES.fetch_add(size, Relaxed);
    PEAK.fetch_max(HELD.fetch_add(size, Relaxed) + size, Relaxed);
}

// SAFETY: every call is the system allocator's own, with the arguments as they came; the counters are atomics and allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promises are those of the system allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: it is allocated until the next line.
        unsafe { wiped::look(block, layout.size()) };
        // SAFETY: as above; the block came from `System`.
        unsafe { System.dealloc(block, layout) }
    }

    /// Counted as a new allocation of the whole new size, with the old block held until it is done.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: it is allocated until the next line, which may move it and leave behind what it held.
        unsafe { wiped::look(block, layout.size()) };
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// What an act allocated.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Allocations, growing ones included.
    pub(crate) calls: usize,
    /// The sum of their sizes, freed or not.
    pub(crate) bytes: usize,
    /// The most that was held at once.
    pub(crate) peak: usize,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, more: Self) {
        self.calls += more.calls;
        self.bytes += more.bytes;
        self.peak = self.peak.max(more.peak);
    }
}

/// Runs an act and says what it allocated. One thread only.
pub(crate) fn counted<T>(act: impl FnOnce() -> T) -> (T, Cost) {
    let (calls, bytes, held) = (CALLS.load(Relaxed), BYTES.load(Relaxed), HELD.load(Relaxed));
    PEAK.store(held, Relaxed);
    let value = act();
    let cost = Cost {
        calls: CALLS.load(Relaxed) - calls,
        bytes: BYTES.load(Relaxed) - bytes,
        peak: PEAK.load(Relaxed) - held,
    };
    (value, cost)
}
