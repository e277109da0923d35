//! The program's allocations: how many bytes are alive, and who allocates.
//!
//! [`Allocator`] stands between the program and its allocator. While nothing records it costs a load and a
//! branch. While something does, `counts` adds to sums of the thread ([`heap_sums`](crate::heap_sums)), which the
//! thread records before it goes on to something else, and which the flush thread reads where it does not. So each
//! sum belongs to one flow and one user task, and all together say how many bytes are alive.
//!
//! Of some allocations there is a sample, with the stack and what becomes of them:
//!
//! | file | its subject |
//! |---|---|
//! | `distance` | which allocations are sampled |
//! | `samples` | what a thread does for a sample |
//! | `live`, `place` | the sampled allocations that are alive |
//! | `following` | what the flush thread does with them |

mod allocator;
mod counts;
mod distance;
mod following;
mod live;
mod place;
mod samples;

pub use allocator::Allocator;
pub(crate) use counts::{about, is_in_use, settle, standing_bytes, take_elsewhere};
pub(crate) use distance::{Distance, configure};
pub(crate) use following::{Following, about_samples};
