//! Gives what several files ask a name: `cfg(cpu_samples)`, whether there are CPU samples in this build.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(cpu_samples)");
    let of_target = |key: &str| std::env::var(format!("CARGO_CFG_TARGET_{key}"));
    let is_wanted = std::env::var_os("CARGO_FEATURE_CPU").is_some();
    let is_linux = of_target("OS").is_ok_and(|system| system == "linux");
    // Registers and frame pointers of these are known to `cpu/signal` and `stacks/walk`.
    let is_known = of_target("ARCH").is_ok_and(|arch| arch == "x86_64" || arch == "aarch64");
    if is_wanted && is_linux && is_known {
        println!("cargo::rustc-cfg=cpu_samples");
    }
}
