//! Logs, by the place that writes them.

use exectrace_analysis::display::{names, units};
use maud::{Markup, html};

use crate::trace::Answer;

use super::layout::Page;
use super::parts::{Table, text};

pub(super) fn page(answer: &Answer, _page: &Page<'_>) -> Markup {
    let logs = answer.analysis.logs.as_ref();
    let mut table = Table::new()
        .text("category")
        .text("level")
        .text("place")
        .number("count")
        .number("bytes")
        .number("first")
        .number("last")
        .text("the last one");
    for kind in logs.iter().flat_map(|logs| &logs.kinds) {
        table.row([
            text(&kind.category),
            text(kind.level.unwrap_or_default()),
            text(names::place(kind.place.as_ref(), &kind.category)),
            text(units::count(kind.count)),
            text(units::bytes(kind.bytes)),
            text(units::instant(kind.first_ns)),
            text(units::instant(kind.last_ns)),
            html! { bdi.log { (kind.last) } },
        ]);
    }
    html! {
        h1 { "Logs" }
        @if logs.is_none_or(|logs| logs.kinds.is_empty()) { p { "There are no logs in this part of the trace." } }
        (table.section("By category and place", ""))
    }
}
