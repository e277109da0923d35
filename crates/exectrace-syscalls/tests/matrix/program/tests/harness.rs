//! The same in the harness of `cargo test`.

#[test]
fn calls_are_what_they_are_without_the_tracer() {
    checks::all(None);
}
