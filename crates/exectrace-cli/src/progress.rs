//! How far a long reading has come: on standard error, if that is a terminal, and only of what
//! takes longer than half a second.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::origin::Origin;

/// What is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_millis(500);

/// How much of an input was read, while it is being read, and how much there is.
#[derive(Clone, Debug)]
pub(crate) struct Position {
    pub(crate) read: Rc<Cell<u64>>,
    pub(crate) total: Option<u64>,
}

/// The bar of one input; gone as soon as the input is.
#[derive(Debug)]
pub(crate) struct Progress {
    began: Instant,
    label: String,
    total: Option<u64>,
    read: Rc<Cell<u64>>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A bar that is not shown yet.
    pub(crate) fn new(origin: &Origin) -> Self {
        Self {
            began: Instant::now(),
            label: crate::output::printable(&origin.label).into_owned(),
            total: origin.bytes,
            read: Rc::default(),
            bar: None,
        }
    }

    /// How far it has come, also later.
    pub(crate) fn position(&self) -> Position {
        Position {
            read: self.read.clone(),
            total: self.total,
        }
    }

    /// Notes that `bytes` more were read.
    pub(crate) fn advance(&mut self, bytes: u64) {
        let read = self.read.get() + bytes;
        self.read.set(read);
        if self.bar.is_none() && self.began.elapsed() >= PATIENCE {
            self.bar = Some(self.make_bar());
        }
        if let Some(bar) = &self.bar {
            bar.set_position(read);
        }
    }

    /// The bar; where standard error is no terminal it draws nothing.
    fn make_bar(&self) -> ProgressBar {
        let template = match self.total {
            Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} {eta}",
            None => "{msg} {spinner} {bytes} {bytes_per_sec}",
        };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(self.total, ProgressDrawTarget::stderr())
            .with_style(style)
            .with_message(self.label.clone())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
