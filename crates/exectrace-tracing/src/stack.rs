//! The spans that a thread has entered, from which contextual parents are taken.
//!
//! Each thread has one stack for all Layers and Subscribers. It needs no destructor, and its address is a
//! constant offset from the thread pointer. An entry is the number of the Layer or Subscriber and the id of
//! the span. Nearly always the span that is left is the top entry; otherwise the uppermost entry that matches
//! is removed.
//!
//! The stack is also kept while nothing records, because a span may be entered before a recording starts and
//! become the parent of spans in it.
//!
//! Entries past [`SHALLOW`] go to a vector. Nothing else here allocates.
//!
//! A signal handler may interrupt any of these functions. It leaves the spans that it enters, so it restores
//! the depth. During a change it may see an entry from before the change. If it interrupts a use of the
//! vector, it does not use the vector.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{Ordering, compiler_fence};

/// Entries that are kept in the thread-local itself. Apart from recursion, programs do not nest spans deeper.
const SHALLOW: usize = 32;

/// (number of the Layer or Subscriber, id of the span)
type Entry = (u64, u64);

struct Stack {
    depth: Cell<usize>,
    shallow: [Cell<Entry>; SHALLOW],
}

thread_local! {
    static STACK: Stack = const {
        Stack { depth: Cell::new(0), shallow: [const { Cell::new((0, 0)) }; SHALLOW] }
    };
    static DEEP: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

/// The calling thread has entered `span` of `source`. Returns `false` and does nothing if the caller has to
/// use [`push_deep`].
#[inline(always)]
pub(crate) fn push_shallow(source: u64, span: u64) -> bool {
    STACK.with(|stack| {
        let depth = stack.depth.get();
        let place = stack.shallow.get(depth);
        if let Some(place) = place {
            // The depth is increased before the entry is stored: a signal handler in between uses the next entry.
            stack.depth.set(depth + 1);
            compiler_fence(Ordering::SeqCst);
            place.set((source, span));
        }
        place.is_some()
    })
}

/// The calling thread, which has entered many spans, has entered `span` of `source`.
pub(crate) fn push_deep(source: u64, span: u64) {
    STACK.with(|stack| stack.push_deep((source, span)));
}

/// The calling thread has left `span` of `source`, if that is the top entry. Returns `false` and does nothing
/// if the caller has to use [`remove`].
#[inline(always)]
pub(crate) fn pop_top(source: u64, span: u64) -> bool {
    STACK.with(|stack| {
        let top = stack.depth.get().wrapping_sub(1);
        let place = stack.shallow.get(top);
        let is_top = place.is_some_and(|place| place.get() == (source, span));
        if is_top {
            stack.depth.set(top);
        }
        is_top
    })
}

/// The calling thread has left `span` of `source`. Does nothing if it had not entered it.
pub(crate) fn remove(source: u64, span: u64) {
    STACK.with(|stack| stack.remove((source, span)));
}

/// Returns the span of `source` that the calling thread entered last and has not left, or 0.
#[inline]
pub(crate) fn current(source: u64) -> u64 {
    STACK.with(|stack| {
        let top = stack.depth.get().wrapping_sub(1);
        match stack.shallow.get(top).map(Cell::get) {
            Some((owner, span)) if owner == source => span,
            None if top == usize::MAX => 0,
            _ => stack.find(source),
        }
    })
}

impl Stack {
    #[cold]
    fn push_deep(&self, entry: Entry) {
        // A thread whose thread-locals are destroyed has no vector. Spans entered then get no children.
        let pushed = DEEP.try_with(|deep| {
            let deep = deep.try_borrow_mut();
            deep.map(|mut deep| deep.push(entry)).is_ok()
        });
        if pushed == Ok(true) {
            self.depth.set(self.depth.get() + 1);
        }
    }

    #[cold]
    fn remove(&self, entry: Entry) {
        let depth = self.depth.get();
        if depth > SHALLOW {
            let removed = DEEP.try_with(|deep| {
                let Ok(mut deep) = deep.try_borrow_mut() else {
                    return false;
                };
                let found = deep.iter().rposition(|&other| other == entry);
                found.is_some_and(|at| {
                    deep.remove(at);
                    true
                })
            });
            if removed.unwrap_or(false) {
                self.depth.set(depth - 1);
                return;
            }
        }
        let shallow = &self.shallow[..depth.min(SHALLOW)];
        let Some(found) = shallow.iter().rposition(|place| place.get() == entry) else {
            return;
        };
        for pair in shallow[found..].windows(2) {
            pair[0].set(pair[1].get());
        }
        if depth > SHALLOW {
            // The first entry of the vector moves to the entry that became free.
            let lowest = DEEP.try_with(|deep| {
                let mut deep = deep.try_borrow_mut().ok()?;
                (!deep.is_empty()).then(|| deep.remove(0))
            });
            self.shallow[SHALLOW - 1].set(lowest.ok().flatten().unwrap_or((0, 0)));
        }
        self.depth.set(depth - 1);
    }

    #[cold]
    fn find(&self, source: u64) -> u64 {
        let depth = self.depth.get();
        let of_source = |&(owner, _): &Entry| owner == source;
        if depth > SHALLOW {
            let found = DEEP.try_with(|deep| {
                let deep = deep.try_borrow().ok()?;
                deep.iter().rev().copied().find(of_source)
            });
            if let Ok(Some((_, span))) = found {
                return span;
            }
        }
        let shallow = &self.shallow[..depth.min(SHALLOW)];
        let found = shallow.iter().rev().map(Cell::get).find(of_source);
        found.map_or(0, |(_, span)| span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(source: u64, span: u64) {
        if !push_shallow(source, span) {
            push_deep(source, span);
        }
    }

    fn pop(source: u64, span: u64) {
        if !pop_top(source, span) {
            remove(source, span);
        }
    }

    /// Runs `test` on a thread of its own, whose stack is empty.
    fn on_a_new_thread(test: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            scope.spawn(test);
        });
    }

    #[test]
    fn the_current_span_is_the_last_entered_of_its_own_source() {
        on_a_new_thread(|| {
            assert_eq!(current(1), 0);
            push(1, 10);
            push(2, 20);
            push(1, 11);
            push(2, 21);
            assert_eq!((current(1), current(2), current(3)), (11, 21, 0));
            pop(1, 11);
            assert_eq!((current(1), current(2)), (10, 21));
            pop(1, 99);
            pop(2, 21);
            pop(2, 20);
            assert_eq!((current(1), current(2)), (10, 0));
        });
    }

    #[test]
    fn a_span_entered_twice_is_left_twice() {
        on_a_new_thread(|| {
            push(1, 10);
            push(1, 11);
            push(1, 10);
            pop(1, 10);
            assert_eq!(current(1), 11);
            pop(1, 11);
            assert_eq!(current(1), 10);
            pop(1, 10);
            assert_eq!(current(1), 0);
        });
    }

    /// Runs the steps of a push one by one, and after each of them what a signal handler would do.
    #[test]
    fn a_handler_that_enters_and_leaves_a_span_in_the_middle_of_a_push_changes_nothing() {
        on_a_new_thread(|| {
            push(1, 10);
            let handler = || {
                push(9, 90);
                assert_eq!(current(9), 90);
                pop(9, 90);
            };
            STACK.with(|stack| {
                let depth = stack.depth.get();
                handler();
                stack.depth.set(depth + 1);
                handler();
                stack.shallow[depth].set((1, 11));
                handler();
            });
            assert_eq!(current(1), 11);
            pop(1, 11);
            assert_eq!(current(1), 10);
        });
    }

    #[test]
    fn a_handler_that_comes_while_the_deep_entries_change_does_without_them() {
        on_a_new_thread(|| {
            for span in 1..=SHALLOW as u64 + 2 {
                push(1, span);
            }
            DEEP.with(|deep| {
                let _changing = deep.borrow_mut();
                push(9, 90);
                assert_eq!((current(9), current(1)), (0, SHALLOW as u64));
                pop(9, 90);
            });
            assert_eq!(current(1), SHALLOW as u64 + 2);
        });
    }

    #[test]
    fn deep_recursion_is_followed_down_and_up_in_any_order() {
        on_a_new_thread(|| {
            let depth = 3 * SHALLOW as u64;
            for span in 1..=depth {
                push(1, span);
            }
            // Out of order, from the lower and the upper part.
            pop(1, 5);
            pop(1, depth - 3);
            for span in (1..=depth).rev() {
                if span != 5 && span != depth - 3 {
                    assert_eq!(current(1), span);
                    pop(1, span);
                }
            }
            assert_eq!(current(1), 0);
            push(2, 7);
            assert_eq!(current(2), 7);
        });
    }
}
