//! The program's own account of its spans, kept by a subscriber.
//!
//! Each call is made between two readings of the clock, with some microseconds of waiting on either
//! side. That is more than the clocks of two cores, or two ways to read them, differ by. So the tracer's own
//! reading must be between the two. Only one call is made at a time, so the calls have a total order.
//!
//! The witness counts handles and children by the rules of `tracing`: a span closes when its last handle is
//! dropped and its last child has closed.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

const MARGIN: Duration = Duration::from_micros(3);

/// Something happened after the first instant and before the second, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Before it.
    pub before: i64,
    /// After it.
    pub after: i64,
}

/// A span, from its making to its close.
#[derive(Clone, Debug)]
pub struct Lived {
    /// Its name.
    pub name: &'static str,
    /// The indices of its ancestors, its parent first.
    pub ancestors: Vec<usize>,
    /// When it was entered first; `None` if it never was.
    pub first: Option<Window>,
    /// What its thread was in then, outermost first.
    pub inside: Vec<usize>,
    /// When it was left last.
    pub left: Window,
    /// The call after that, on the same thread, closed it.
    pub closed_where_left: bool,
    /// When it closed; `None` if it is alive.
    pub closed: Option<Window>,
    /// How often it was entered.
    pub entries: u64,
    /// It was entered at least so long, all entries together, and at most so long.
    pub busy: (i64, i64),
    handles: u32,
    children: u32,
}

/// All spans, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// The spans.
    pub spans: Vec<Lived>,
    by_id: HashMap<u64, usize>,
}

impl Account {
    /// The spans of a name that were entered, in the order of their first entries.
    pub fn entered(&self, name: &str) -> Vec<&Lived> {
        let of_name = self.spans.iter().filter(|span| span.name == name);
        let mut entered: Vec<_> = of_name.filter(|span| span.first.is_some()).collect();
        entered.sort_unstable_by_key(|span| span.first.map(|first| first.before));
        entered
    }

    /// The names of spans that were entered.
    pub fn names(&self) -> std::collections::BTreeSet<&'static str> {
        let entered = self.spans.iter().filter(|span| span.first.is_some());
        entered.map(|span| span.name).collect()
    }

    fn close_if_unused(&mut self, index: usize, window: Window, where_left: bool) {
        let span = &mut self.spans[index];
        if span.handles > 0 || span.children > 0 {
            return;
        }
        span.closed = Some(window);
        span.closed_where_left = where_left;
        if let Some(&parent) = span.ancestors.first() {
            self.spans[parent].children -= 1;
            self.close_if_unused(parent, window, false);
        }
    }
}

/// A subscriber that keeps the account, and passes each call on to another subscriber.
#[derive(Debug)]
pub struct Witness<S> {
    inner: S,
    origin: Instant,
    account: Arc<Mutex<Account>>,
}

/// What a thread is in: the span's index, its id, and when it was entered if it was not in it already.
type Inside = (usize, u64, Option<Window>);

thread_local! {
    static INSIDE: RefCell<Vec<Inside>> = const { RefCell::new(Vec::new()) };
    /// The span that the thread's last call left.
    static JUST_LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    /// Whether the inner subscriber is being called. Calls that it makes are not counted.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

impl<S: Subscriber> Witness<S> {
    /// Puts a witness before a subscriber.
    pub fn new(inner: S) -> (Self, Arc<Mutex<Account>>) {
        let account = Arc::default();
        let witness = Self {
            inner,
            origin: Instant::now(),
            account: Arc::clone(&account),
        };
        (witness, account)
    }

    fn now(&self) -> i64 {
        self.origin.elapsed().as_nanos() as i64
    }

    fn waited(&self) {
        let began = Instant::now();
        while began.elapsed() < MARGIN {
            std::hint::spin_loop();
        }
    }

    /// Makes a call of the inner subscriber, and then notes it.
    fn call<T>(
        &self,
        call: impl FnOnce(&S) -> T,
        note: impl FnOnce(&mut Account, Window, &T),
    ) -> T {
        if BUSY.get() {
            return call(&self.inner);
        }
        let mut account = self.account.lock().expect("no call panics");
        let before = self.now();
        self.waited();
        BUSY.set(true);
        let made = call(&self.inner);
        BUSY.set(false);
        self.waited();
        let after = self.now();
        note(&mut account, Window { before, after }, &made);
        made
    }
}

/// Whether the tracer's default filter lets it through. A registry makes spans as well that all its layers'
/// filters refuse, and those are in no trace.
fn is_recorded(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO
}

/// The innermost span of the thread, as `tracing` counts: a span inside itself does not count.
fn current() -> Option<usize> {
    INSIDE.with_borrow(|inside| {
        let entered = inside.iter().rev().find(|(.., entered)| entered.is_some());
        entered.map(|&(index, ..)| index)
    })
}

impl<S: Subscriber> Subscriber for Witness<S> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match is_recorded(metadata) {
            true => self.inner.register_callsite(metadata),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_recorded(metadata) && self.inner.enabled(metadata)
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        self.inner.max_level_hint()
    }

    fn event_enabled(&self, event: &Event<'_>) -> bool {
        self.inner.event_enabled(event)
    }

    fn on_register_dispatch(&self, dispatch: &tracing::Dispatch) {
        self.inner.on_register_dispatch(dispatch);
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let note = |account: &mut Account, _, id: &Id| {
            JUST_LEFT.set(None);
            let explicit = attributes.parent();
            let parent = match explicit {
                Some(parent) => account.by_id.get(&parent.into_u64()).copied(),
                None if attributes.is_contextual() => current(),
                None => None,
            };
            let mut ancestors = Vec::new();
            if let Some(parent) = parent {
                let parents = &mut account.spans[parent];
                parents.children += 1;
                ancestors.push(parent);
                ancestors.extend(&parents.ancestors);
            }
            account.by_id.insert(id.into_u64(), account.spans.len());
            account.spans.push(Lived {
                name: attributes.metadata().name(),
                ancestors,
                first: None,
                inside: Vec::new(),
                left: Window::default(),
                closed_where_left: false,
                closed: None,
                entries: 0,
                busy: (0, 0),
                handles: 1,
                children: 0,
            });
        };
        self.call(|inner| inner.new_span(attributes), note)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.call(
            |inner| inner.record(span, values),
            |_, _, _| JUST_LEFT.set(None),
        );
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.call(
            |inner| inner.record_follows_from(span, follows),
            |_, _, _| JUST_LEFT.set(None),
        );
    }

    fn event(&self, event: &Event<'_>) {
        self.call(|inner| inner.event(event), |_, _, _| JUST_LEFT.set(None));
    }

    fn enter(&self, id: &Id) {
        let note = |account: &mut Account, window: Window, _: &()| {
            JUST_LEFT.set(None);
            let index = account.by_id[&id.into_u64()];
            let span = &mut account.spans[index];
            INSIDE.with_borrow_mut(|inside| {
                let is_inside = inside.iter().any(|&(other, ..)| other == index);
                if !is_inside {
                    span.entries += 1;
                    span.first.get_or_insert_with(|| {
                        span.inside = inside.iter().map(|&(other, ..)| other).collect();
                        window
                    });
                }
                inside.push((index, id.into_u64(), (!is_inside).then_some(window)));
            });
        };
        self.call(|inner| inner.enter(id), note);
    }

    fn exit(&self, id: &Id) {
        let note = |account: &mut Account, window: Window, _: &()| {
            let left = INSIDE.with_borrow_mut(|inside| {
                let innermost = inside
                    .iter()
                    .rposition(|&(_, other, _)| other == id.into_u64());
                inside.remove(innermost.expect("it was entered"))
            });
            let (index, _, Some(entered)) = left else {
                return;
            };
            let span = &mut account.spans[index];
            span.busy.0 += window.before - entered.after;
            span.busy.1 += window.after - entered.before;
            span.left = window;
            JUST_LEFT.set(Some(index));
        };
        self.call(|inner| inner.exit(id), note);
    }

    fn clone_span(&self, id: &Id) -> Id {
        let note = |account: &mut Account, _, _: &Id| {
            JUST_LEFT.set(None);
            let index = account.by_id[&id.into_u64()];
            account.spans[index].handles += 1;
        };
        self.call(|inner| inner.clone_span(id), note)
    }

    fn try_close(&self, id: Id) -> bool {
        let note = |account: &mut Account, window: Window, _: &bool| {
            let index = account.by_id[&id.into_u64()];
            account.spans[index].handles -= 1;
            let where_left = JUST_LEFT.take() == Some(index);
            account.close_if_unused(index, window, where_left);
        };
        self.call(|inner| inner.try_close(id.clone()), note)
    }

    fn current_span(&self) -> tracing_core::span::Current {
        self.inner.current_span()
    }
}
