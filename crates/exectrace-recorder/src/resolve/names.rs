//! Symbols made readable.
//!
//! A symbol of a Rust function, demangled, says much that a reader of a trace does not need: the
//! arguments of generic types, the trait that a method is of, and that an `async fn` is a closure
//! of itself. What is left is the path by which its author knows the function.

use std::fmt::{self, Write};

/// Bytes of a name that are kept.
const MAX_NAME_BYTES: usize = 256;
/// Bytes of a demangled symbol that are looked at.
const MAX_DEMANGLED_BYTES: usize = 1 << 14;
/// Types in types that are looked into for a name.
const MAX_DEPTH: usize = 8;

/// The name of the function that has this symbol.
pub(super) fn readable(symbol: &str) -> String {
    let mut name = match rustc_demangle::try_demangle(symbol) {
        Ok(demangled) => {
            let mut text = Limited(String::new());
            // An error means that the limit was reached: what there is, is kept.
            let _ = write!(text, "{demangled:#}");
            short(&text.0)
        }
        // Not Rust. A version may follow the name of a C function.
        Err(_) => symbol.split('@').next().unwrap_or(symbol).to_owned(),
    };
    if name.len() > MAX_NAME_BYTES {
        let mut end = MAX_NAME_BYTES;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
    }
    name
}

/// What the names of one function have in common: linkers fold functions whose code is the same, so
/// that nobody knows which of them was called. `None` if there is no name.
///
/// Names of C functions at one address are aliases; the first stands for all.
pub(super) fn common(mut names: Vec<String>) -> Option<String> {
    let is_c = |name: &String| !name.contains("::");
    if let Some(alias) = names.iter().position(is_c) {
        return Some(names.swap_remove(alias));
    }
    names.sort_unstable();
    names.dedup();
    let (first, last) = (names.first()?, names.last()?);
    if names.len() == 1 {
        return Some(first.clone());
    }
    // Sorted, so what the first and the last share, all share.
    let shared = first.split("::").zip(last.split("::"));
    let shared: Vec<_> = shared.map_while(|(a, b)| (a == b).then_some(a)).collect();
    let one_of = format!("(one of {} functions)", names.len());
    Some([shared, vec![&one_of]].concat().join("::"))
}

/// Text that stops growing at [`MAX_DEMANGLED_BYTES`].
struct Limited(String);

impl Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > MAX_DEMANGLED_BYTES {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// A demangled name without closures, generic arguments and traits.
pub(super) fn short(demangled: &str) -> String {
    match short_path(demangled, MAX_DEPTH) {
        Some(name) if !name.is_empty() => name,
        _ => demangled.to_owned(),
    }
}

fn short_path(path: &str, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let mut name = String::new();
    for segment in Split::new(path, "::") {
        if let Some(inner) = segment.strip_prefix('<') {
            let inner = inner.strip_suffix('>')?;
            if let Some(owner) = inner.strip_prefix("impl ") {
                name = owner_of_impl(owner, depth)?;
            } else if name.is_empty() {
                name = owner_of_method(inner, depth)?;
            }
            // Else arguments of what stands before.
            continue;
        }
        let end = segment.find(['<', '{']).unwrap_or(segment.len());
        let word = &segment[..end];
        if !word.is_empty() {
            if !name.is_empty() {
                name.push_str("::");
            }
            name.push_str(word);
        }
    }
    Some(name)
}

/// The type in `Type` or `Trait for Type`.
fn owner_of_impl(inner: &str, depth: usize) -> Option<String> {
    let mut parts = Split::new(inner, " for ");
    let first = parts.next()?;
    match parts.next() {
        Some(owner) => type_name(owner, depth).or_else(|| type_name(first, depth)),
        None => type_name(first, depth),
    }
}

/// The type in `Type` or `Type as Trait`, or the trait if the type has no path.
fn owner_of_method(inner: &str, depth: usize) -> Option<String> {
    let mut parts = Split::new(inner, " as ");
    let owner = parts.next()?;
    type_name(owner, depth).or_else(|| type_name(parts.next()?, depth))
}

/// The path of a type. `None` for those that have none: references, tuples, parameters.
fn type_name(text: &str, depth: usize) -> Option<String> {
    let begins_a_path = text.starts_with(|first: char| first.is_alphabetic() || first == '_');
    if !begins_a_path || text.starts_with("dyn ") || text.starts_with("impl ") {
        return None;
    }
    short_path(text, depth).filter(|name| name.contains("::"))
}

/// The parts of a text between separators that stand outside all brackets.
struct Split<'a> {
    rest: Option<&'a str>,
    separator: &'static str,
}

impl<'a> Split<'a> {
    fn new(text: &'a str, separator: &'static str) -> Self {
        Self {
            rest: Some(text),
            separator,
        }
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let bytes = rest.as_bytes();
        let mut open = 0_usize;
        for (at, &byte) in bytes.iter().enumerate() {
            match byte {
                b'<' | b'(' | b'[' | b'{' => open += 1,
                // The arrow of a function's type closes nothing.
                b'>' if at > 0 && bytes[at - 1] == b'-' => {}
                b'>' | b')' | b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            if open == 0 && bytes[at..].starts_with(self.separator.as_bytes()) {
                // The separator is ASCII, so both cuts are between characters.
                self.rest = rest.get(at + self.separator.len()..);
                return rest.get(..at);
            }
        }
        self.rest = None;
        Some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_that_the_linker_folded_are_called_by_what_they_share() {
        let common = |names: &[&str]| common(names.iter().map(|&name| name.to_owned()).collect());
        for (names, expected) in [
            (
                &[
                    "tokio::net::udp::UdpSocket::poll_recv_ready",
                    "tokio::net::tcp::stream::TcpStream::poll_read_ready",
                ][..],
                Some("tokio::net::(one of 2 functions)"),
            ),
            (&["app::serve", "app::serve"], Some("app::serve")),
            (
                &["app::serve", "other::serve"],
                Some("(one of 2 functions)"),
            ),
            (&["write", "__write"], Some("write")),
            (&[], None),
        ] {
            assert_eq!(common(names).as_deref(), expected, "{names:?}");
        }
    }

    #[test]
    fn a_name_is_left_with_the_path_its_author_knows() {
        for (demangled, expected) in [
            ("app::serve::{{closure}}::{{closure}}", "app::serve"),
            ("app::serve::{closure#0}::{closure#3}", "app::serve"),
            (
                "tokio::sync::mpsc::bounded::Receiver<T>::recv::{{closure}}",
                "tokio::sync::mpsc::bounded::Receiver::recv",
            ),
            (
                "<tokio::sync::mpsc::bounded::Receiver<(u8, app::X)>>::recv::{closure#0}",
                "tokio::sync::mpsc::bounded::Receiver::recv",
            ),
            (
                "<tokio::time::sleep::Sleep as core::future::future::Future>::poll",
                "tokio::time::sleep::Sleep::poll",
            ),
            (
                "<&mut F as core::future::future::Future>::poll",
                "core::future::future::Future::poll",
            ),
            (
                "<F as core::future::into_future::IntoFuture>::into_future",
                "core::future::into_future::IntoFuture::into_future",
            ),
            (
                "app::io::<impl core::future::future::Future for app::io::Read<R>>::poll",
                "app::io::Read::poll",
            ),
            (
                "core::str::<impl str>::parse",
                "core::str::<impl str>::parse",
            ),
            (
                "core::ops::function::FnOnce::call_once{{vtable.shim}}",
                "core::ops::function::FnOnce::call_once",
            ),
            ("app::map::<fn(u8) -> u8>::{closure#0}", "app::map"),
            (
                "<core::pin::Pin<alloc::boxed::Box<dyn core::future::future::Future<Output = ()>>> as core::future::future::Future>::poll",
                "core::pin::Pin::poll",
            ),
            ("<<<<", "<<<<"),
            ("", ""),
            ("a>>b::c", "a>>b::c"),
        ] {
            assert_eq!(short(demangled), expected, "{demangled:?}");
        }
    }

    #[test]
    fn symbols_of_both_manglings_and_of_c_become_names() {
        assert_eq!(
            readable(
                "_ZN5tokio4task9yield_now9yield_now28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE"
            ),
            "tokio::task::yield_now::yield_now"
        );
        assert_eq!(
            readable("_RNvNtCs1234_7mycrate3foo3bar"),
            "mycrate::foo::bar"
        );
        assert_eq!(readable("epoll_wait@@GLIBC_2.3.2"), "epoll_wait");
    }

    #[test]
    fn a_symbol_without_an_end_in_sight_is_cut() {
        let endless = format!("_ZN{}", "1a".repeat(1 << 20));
        assert!(readable(&endless).len() <= MAX_NAME_BYTES);
        let deep = format!("{}x{}::f", "<".repeat(5000), ">".repeat(5000));
        assert_eq!(short(&deep), deep);
    }
}
