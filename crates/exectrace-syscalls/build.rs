//! Decides whether this build has the entry points.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=EXECTRACE_SYSCALLS");
    println!("cargo:rustc-check-cfg=cfg(exectrace_entry_points)");
    if has_entry_points() {
        println!("cargo:rustc-cfg=exectrace_entry_points");
    }
}

fn has_entry_points() -> bool {
    let switched_off = env::var("EXECTRACE_SYSCALLS").is_ok_and(|value| value == "off");
    let known_abi = is("CARGO_CFG_TARGET_OS", &["linux"])
        && is("CARGO_CFG_TARGET_ARCH", &["x86_64", "aarch64"])
        && is("CARGO_CFG_TARGET_POINTER_WIDTH", &["64"])
        && is("CARGO_CFG_TARGET_ENDIAN", &["little"])
        && is("CARGO_CFG_TARGET_ENV", &["gnu", "musl"]);
    // Sanitizers and Miri define the same functions, and loom has no flush thread. That a sanitizer is on is only
    // known of nightly compilers, which alone have them.
    let others = ["CARGO_CFG_SANITIZE", "CARGO_CFG_MIRI", "CARGO_CFG_LOOM"];
    known_abi && !switched_off && !others.iter().any(|name| env::var_os(name).is_some())
}

fn is(name: &str, values: &[&str]) -> bool {
    env::var(name).is_ok_and(|value| values.contains(&value.as_str()))
}
