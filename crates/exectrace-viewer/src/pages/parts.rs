//! Tables, times and places as HTML.

use exectrace_analysis::display::{names, units};
use exectrace_analysis::{Aspect, KernelWait, Place, Sight};
use exectrace_replay::{Names, Stack};
use maud::{Markup, html};

/// A table that is being filled.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(&'static str, bool)>,
    rows: Vec<Vec<Markup>>,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            columns: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// A column of text.
    pub(super) fn text(mut self, title: &'static str) -> Self {
        self.columns.push((title, false));
        self
    }

    /// A column of numbers.
    pub(super) fn number(mut self, title: &'static str) -> Self {
        self.columns.push((title, true));
        self
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Markup>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table under a heading; nothing if it has no rows.
    pub(super) fn section(&self, title: &str, aside: &str) -> Markup {
        html! {
            @if !self.rows.is_empty() {
                section {
                    h2 { (title) @if !aside.is_empty() { " " small { (aside) } } }
                    (self.markup(title))
                }
            }
        }
    }

    fn markup(&self, title: &str) -> Markup {
        let class = |index: usize| self.columns.get(index).is_some_and(|(_, number)| *number);
        html! {
            div.scroll tabindex="0" role="region" aria-label=(title) {
                table {
                    thead { tr { @for (title, is_number) in &self.columns {
                        th scope="col" class=[is_number.then_some("number")] { (title) }
                    } } }
                    tbody { @for row in &self.rows { tr {
                        @for (index, cell) in row.iter().enumerate() {
                            td class=[class(index).then_some("number")] { (cell) }
                        }
                    } } }
                }
            }
        }
    }
}

/// A text.
pub(super) fn text(text: impl AsRef<str>) -> Markup {
    html! { (text.as_ref()) }
}

/// A name.
pub(super) fn name(name: &str) -> Markup {
    html! { bdi.name { (names::name(name)) } }
}

/// A name that leads to a page.
pub(super) fn link(href: &str, text: impl AsRef<str>) -> Markup {
    html! { a href=(href) { bdi { (text.as_ref()) } } }
}

/// A length of time.
pub(super) fn duration(ns: u64) -> Markup {
    html! { span title={ (ns) " ns" } { (units::duration(ns)) } }
}

/// A length of time that the trace may not have; then why.
pub(super) fn known(ns: Option<u64>, aspect: Aspect, sight: &Sight) -> Markup {
    match ns {
        Some(ns) => duration(ns),
        None => gap(aspect, sight),
    }
}

/// A share of a whole that the trace may not have; then why.
pub(super) fn share(ns: Option<u64>, whole: u64, aspect: Aspect, sight: &Sight) -> Markup {
    match ns {
        Some(ns) => text(units::percent(ns, whole)),
        None => gap(aspect, sight),
    }
}

/// How long tasks that ran waited for the kernel: a number, or between which it lies; else why that is not known.
pub(super) fn kernel(
    wait: Option<KernelWait>,
    sight: &Sight,
    shown: impl Fn(u64) -> String,
) -> Markup {
    match wait {
        Some(wait) => text(units::bounds(wait.at_least_ns, wait.at_most_ns, shown)),
        None => gap(Aspect::Processors, sight),
    }
}

fn gap(aspect: Aspect, sight: &Sight) -> Markup {
    let why = sight.why(aspect).unwrap_or("the trace does not have it");
    html! { abbr.gap title=(why) { "-" } }
}

/// Where a stack is in the program, with all of it behind.
pub(super) fn stack(places: &[Place], name: &str) -> Markup {
    let short = names::where_in_program(places, name);
    html! {
        @if places.len() < 2 { (short) } @else {
            details {
                summary { @if short.is_empty() { (units::plural(places.len() as u64, "frame")) } @else { (short) } }
                ol.stack { @for place in places { li { (names::frame(place)) } } }
            }
        }
    }
}

/// The frames of a stack of the index, the innermost first.
pub(crate) fn stack_lines(names: &Names, stack: Stack) -> Vec<String> {
    names
        .locations(stack)
        .map(|at| {
            names::frame(&Place {
                function: names.get(at.function).to_owned(),
                file: names.get(at.file).to_owned(),
                line: at.line,
                pc: at.pc,
            })
        })
        .collect()
}
