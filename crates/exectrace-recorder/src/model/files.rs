//! Files as a reader wants to see them.
//!
//! The compiler names a file of a dependency by where it lies on the machine that built the program.
//! What precedes the package says nothing of the program, and is left out; the rest keeps the package
//! with its version, or the hash of the checkout, so that no two files get one name unless they are
//! copies. Files of the program itself are relative to its workspace already.

/// What precedes the part to be shown, and how many directories after it are left out as well: the
/// registry's, or the hash of the compiler.
const PREFIXES: [(&str, usize); 4] = [
    ("/registry/src/", 1),
    ("/git/checkouts/", 0),
    ("/rustlib/src/rust/library/", 0),
    ("/rustc/", 2),
];

/// The part of a path that is to be shown: `axum-0.8.9/src/serve/mod.rs`, `std/src/thread/mod.rs`.
pub(crate) fn shown(file: &str) -> &str {
    let within = PREFIXES.iter().find_map(|&(prefix, skipped)| {
        let mut rest = &file[file.find(prefix)? + prefix.len()..];
        for _ in 0..skipped {
            rest = rest.split_once('/')?.1;
        }
        Some(rest)
    });
    within.filter(|rest| !rest.is_empty()).unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_file_is_shown_from_its_package_on() {
        for (file, expected) in [
            (
                "/home/me/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/axum-0.8.9/src/serve/mod.rs",
                "axum-0.8.9/src/serve/mod.rs",
            ),
            (
                "/rustc/9fc6b43126469e3858e2fe86cafb4f0fd5068869/library/std/src/thread/mod.rs",
                "std/src/thread/mod.rs",
            ),
            (
                "/home/me/.rustup/toolchains/stable/lib/rustlib/src/rust/library/core/src/option.rs",
                "core/src/option.rs",
            ),
            (
                "/home/me/.cargo/git/checkouts/tokio-377c595163f99a10/1a2b3c4/tokio/src/lib.rs",
                "tokio-377c595163f99a10/1a2b3c4/tokio/src/lib.rs",
            ),
            ("crates/app/src/main.rs", "crates/app/src/main.rs"),
            ("/home/me/app/src/main.rs", "/home/me/app/src/main.rs"),
            ("/registry/src/", "/registry/src/"),
            ("unknown", "unknown"),
            ("", ""),
        ] {
            assert_eq!(shown(file), expected);
        }
    }
}
