//! Tests that are traced: each is a user task, to which all belongs that it does and spawns.
//!
//! `cargo run --example traced_tests` runs them with their trace kept. By hand:
//! `EXECTRACE_TEST=1 EXECTRACE_KEEP=1 cargo test -p exectrace-examples --example traced_tests`

use std::error::Error;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tests = Command::new(cargo);
    tests.args(["test", "--quiet", "-p", "exectrace-examples"]);
    tests.args(["--example", "traced_tests"]);
    // Without the second, the trace is removed if no test fails.
    tests.env("EXECTRACE_TEST", "1").env("EXECTRACE_KEEP", "1");
    let ended = tests.output()?;
    let (printed, said) = (
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr),
    );
    println!("{printed}");
    if !ended.status.success() {
        return Err(format!("the tests have failed: {said}").into());
    }
    let mut lines = said.lines();
    let path = lines.find_map(|line| line.strip_prefix("exectrace: trace: "));
    println!("trace: {}", path.ok_or("the tests have no trace")?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use exectrace::runtime::{spawn, spawn_blocking};
    use tokio::sync::mpsc;
    use tracing::instrument;

    #[instrument]
    async fn double(number: u32) -> u32 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        number * 2
    }

    #[exectrace::test]
    async fn what_is_spawned_belongs_to_the_test() -> Result<(), tokio::task::JoinError> {
        let task = spawn(double(21));
        assert_eq!(task.await?, 42);
        assert_eq!(spawn_blocking(|| 6 * 7).await?, 42);
        Ok(())
    }

    #[exectrace::test(flavor = "multi_thread", worker_threads = 2)]
    async fn messages_come_in_the_order_in_which_they_are_sent() {
        let (sender, mut receiver) = mpsc::channel(2);
        spawn(async move {
            for number in 0..10 {
                let doubled = double(number).await;
                assert!(sender.send(doubled).await.is_ok());
            }
        });
        for number in 0..10 {
            assert_eq!(receiver.recv().await, Some(number * 2));
        }
        assert_eq!(receiver.recv().await, None);
    }

    #[exectrace::test]
    #[should_panic(expected = "divide by zero")]
    fn tests_need_not_be_async() {
        let zero = "0".parse::<u32>().unwrap_or(1);
        let _ = 1 / zero;
    }
}
