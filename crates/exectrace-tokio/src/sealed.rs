//! The trait that seals this crate's extension traits.
//!
//! A trait that only this crate can implement may get further methods without breaking programs.

/// Implemented for the types that this crate's extension traits are for.
pub trait Sealed {}
