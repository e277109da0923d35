//! What the programs do inside of their spans.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Sleeps for some milliseconds, so that other tasks run meanwhile.
pub(crate) async fn sleep(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

/// Is pending once, and is polled again by itself.
pub(crate) async fn turn() {
    let mut was_pending = false;
    let once = poll_fn(|context: &mut Context<'_>| {
        if std::mem::replace(&mut was_pending, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    });
    once.await;
}

/// A span that a future is polled in by a guard.
#[derive(Debug)]
pub(crate) struct Guarded<F> {
    pub(crate) span: tracing::Span,
    pub(crate) future: Pin<Box<F>>,
}

impl<F: Future> Guarded<F> {
    /// Makes the future inside the span, as a service is called in it.
    pub(crate) fn new(span: tracing::Span, future: impl FnOnce() -> F) -> Self {
        let future = span.in_scope(|| Box::pin(future()));
        Self { span, future }
    }
}

impl<F: Future> Future for Guarded<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _entered = this.span.enter();
        this.future.as_mut().poll(context)
    }
}
