//! The program; it knows the tracer by a dependency only.

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: checks::Allocator<mimalloc::MiMalloc> =
    checks::Allocator::new(mimalloc::MiMalloc);

#[cfg(feature = "tikv-jemallocator")]
#[global_allocator]
static ALLOCATOR: checks::Allocator<tikv_jemallocator::Jemalloc> =
    checks::Allocator::new(tikv_jemallocator::Jemalloc);

fn main() {
    checks::main();
}
