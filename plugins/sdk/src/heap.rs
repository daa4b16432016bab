//! The heap of a component.
//!
//! The standard library's allocator grows the memory for its first byte. A policy's memory is made anew for each
//! decision, and growing it costs the host two system calls, one of which interrupts every processor that the host runs
//! on. So the same allocator gets its first page from the memory that a component begins with. What needs more grows it.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::memory_grow;
use core::cell::{Cell, UnsafeCell};
use core::ptr::null_mut;

use dlmalloc::{Allocator, Dlmalloc};

/// A page of WebAssembly, which is what the allocator asks for at first.
const PAGE: usize = 64 << 10;

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(Dlmalloc::new_with_allocator(Source {
    begun: Cell::new(false),
})));

static FIRST: First = First(UnsafeCell::new([0; PAGE]));

struct Heap(UnsafeCell<Dlmalloc<Source>>);

#[repr(align(16))]
struct First(UnsafeCell<[u8; PAGE]>);

/// Where the allocator gets memory.
struct Source {
    /// Whether the first page is given away.
    begun: Cell<bool>,
}

// SAFETY: the contract's components have one thread, and the allocator calls nothing that calls it.
unsafe impl Sync for Heap {}
// SAFETY: as above; the page is handed to the allocator once.
unsafe impl Sync for First {}

// SAFETY: what the allocator is asked is passed on as it is, and nothing else holds a reference to it.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { (*self.0.get()).malloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { (*self.0.get()).free(memory, layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        unsafe { (*self.0.get()).calloc(layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        unsafe { (*self.0.get()).realloc(memory, layout.size(), layout.align(), size) }
    }
}

// SAFETY: each region is given away once: the first page by its flag, the others as they are grown.
unsafe impl Allocator for Source {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        if size <= PAGE && !self.begun.replace(true) {
            return (FIRST.0.get().cast(), PAGE, 0);
        }
        let pages = size.div_ceil(PAGE);
        match memory_grow(0, pages) {
            usize::MAX => (null_mut(), 0, 0),
            // The host's limits keep memories far below the end of the address space.
            before => ((before * PAGE) as *mut u8, pages * PAGE, 0),
        }
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        PAGE
    }
}
