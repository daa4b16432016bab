//! Misbehaviour that needs no import.

use std::hint::black_box;

pub(crate) fn trap() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    panic!("no guest");
}

pub(crate) fn spin() -> ! {
    let mut count = 0_u64;
    loop {
        count = black_box(count.wrapping_add(1));
    }
}

/// Recursion without an end that no compiler turns into a loop.
#[allow(unconditional_recursion, reason = "that is the point")]
pub(crate) fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    recurse(depth + 1).wrapping_add(frame[(depth % 16) as usize])
}

/// Takes so many MiB in one allocation and writes to each page.
pub(crate) fn memory_at_once(mebibytes: u64) -> String {
    let mut block = vec![0_u8; mebibytes as usize * (1 << 20)];
    for byte in block.iter_mut().step_by(4096) {
        *byte = 1;
    }
    format!("took {} MiB", black_box(block).len() >> 20)
}

/// Takes a page at a time, for as long as there is one.
pub(crate) fn memory_by_steps() -> ! {
    let mut blocks = Vec::new();
    loop {
        blocks.push(black_box(vec![1_u8; 1 << 16]));
    }
}

/// A string that is none.
#[allow(
    unsafe_code,
    reason = "what another language's guest may well pass; no Rust code looks at it again"
)]
pub(crate) fn invalid_utf8() -> String {
    unsafe { String::from_utf8_unchecked(vec![b'a', 0xff, 0xfe, 0xed, 0xa0, 0x80]) }
}
