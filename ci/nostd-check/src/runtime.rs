//! What std and libc would bring: an allocator, an end for panics, and on the host an entry point and the memory functions.

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::UnsafeCell,
};

/// Bytes for the whole run; nothing is given back.
const ARENA: usize = 8 << 20;

#[repr(align(64))]
struct Bump {
    arena: UnsafeCell<[u8; ARENA]>,
    used: UnsafeCell<usize>,
}

// One thread only, on every target.
unsafe impl Sync for Bump {}

unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe {
            let start = (*self.used.get()).next_multiple_of(layout.align().min(64));
            let end = start + layout.size();
            if end > ARENA || layout.align() > 64 {
                return core::ptr::null_mut();
            }
            *self.used.get() = end;
            self.arena.get().cast::<u8>().add(start)
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static HEAP: Bump = Bump { arena: UnsafeCell::new([0; ARENA]), used: UnsafeCell::new(0) };

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    end(101)
}

#[cfg(target_os = "linux")]
fn end(code: u32) -> ! {
    // exit_group
    unsafe { core::arch::asm!("syscall", in("rax") 231, in("rdi") code, options(noreturn)) }
}

#[cfg(target_arch = "wasm32")]
fn end(_: u32) -> ! {
    core::arch::wasm32::unreachable()
}

#[cfg(target_os = "none")]
fn end(_: u32) -> ! {
    loop {}
}

#[cfg(target_os = "none")]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    end(crate::play())
}

/// The host without libc. x86_64 only.
#[cfg(target_os = "linux")]
mod host {
    use core::arch::{asm, naked_asm};

    /// Aligns the stack, or the first spill of a vector register may crash.
    #[unsafe(naked)]
    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        naked_asm!("xor ebp, ebp", "and rsp, -16", "call {run}", "ud2", run = sym run)
    }

    extern "C" fn run() -> ! {
        super::end(crate::play())
    }

    // The shipped core of a host target names these even with `panic = "abort"`.
    #[unsafe(no_mangle)]
    extern "C" fn rust_eh_personality() {}
    #[unsafe(no_mangle)]
    extern "C" fn _Unwind_Resume() {}

    // In assembly, since a plain loop may be compiled into a call of itself.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
        unsafe {
            asm!("rep movsb", inout("rdi") to => _, inout("rsi") from => _, inout("rcx") len => _,
                options(nostack, preserves_flags));
        }
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
        if (to as usize).wrapping_sub(from as usize) >= len {
            return unsafe { memcpy(to, from, len) };
        }
        unsafe {
            asm!("std", "rep movsb", "cld", inout("rdi") to.wrapping_add(len).wrapping_sub(1) => _,
                inout("rsi") from.wrapping_add(len).wrapping_sub(1) => _, inout("rcx") len => _,
                options(nostack));
        }
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memset(to: *mut u8, value: i32, len: usize) -> *mut u8 {
        unsafe {
            asm!("rep stosb", inout("rdi") to => _, inout("rcx") len => _, in("al") value as u8,
                options(nostack, preserves_flags));
        }
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, len: usize) -> i32 {
        for place in 0..len {
            // Volatile, so that the loop stays a loop.
            let (a, b) = unsafe { (one.add(place).read_volatile(), other.add(place).read_volatile()) };
            if a != b {
                return i32::from(a) - i32::from(b);
            }
        }
        0
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, len: usize) -> i32 {
        unsafe { memcmp(one, other, len) }
    }
}
