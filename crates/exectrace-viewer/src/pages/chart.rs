//! Pictures in SVG, of which each part says what it is and leads somewhere.

use exectrace_analysis::display::units;
use exectrace_analysis::{Breakdown, Histogram};
use maud::{Markup, html};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 120.0;
/// The width of a bar.
const BAR: f64 = 160.0;

/// How lengths of time are distributed, on a logarithmic axis.
pub(super) fn histogram(durations: &Histogram) -> Markup {
    let buckets = durations.buckets();
    let most = buckets.iter().map(|bucket| bucket.2).max().unwrap_or(0);
    if most == 0 {
        return html! {};
    }
    let position = |ns: u64| (ns.max(1) as f64).log10();
    let first = position(buckets[0].0).floor();
    let last = position(durations.max_ns()).ceil().max(first + 1.0);
    let x = |ns: u64| (position(ns) - first) / (last - first) * WIDTH;
    let decades = (first as u32)..=(last as u32);
    html! {
        svg.histogram viewBox={ "0 0 " (WIDTH) " " (HEIGHT + 20.0) } role="img"
            aria-label={ (units::plural(durations.count(), "value")) ", half of them below " (units::quantile(durations, 0.5)) } {
            @for decade in decades {
                @let at = x(10_u64.saturating_pow(decade));
                line.axis x1=(at) x2=(at) y1="0" y2=(HEIGHT) {}
                text x=(at) y=(HEIGHT + 14.0) text-anchor="middle" { (units::duration(10_u64.saturating_pow(decade))) }
            }
            @for (low, high, count) in buckets {
                @let height = (count as f64 / most as f64).sqrt() * HEIGHT;
                @let (from, to) = (x(low), x(high.max(low + 1)));
                rect x=(from) width=((to - from).max(2.0)) y=(HEIGHT - height) height=(height) {
                    title { (units::count(count)) " of " (units::duration(low)) " to " (units::duration(high)) }
                }
            }
        }
    }
}

/// Where time went, as a bar.
pub(super) fn bar(breakdown: &Breakdown) -> Markup {
    let whole = breakdown.total_ns.max(1) as f64;
    let waiting = breakdown.waiting_ns().unwrap_or(0);
    let parts = [
        ("running", "running", breakdown.running_ns.unwrap_or(0)),
        (
            "runnable",
            "ready to run",
            breakdown.runnable_ns.unwrap_or(0),
        ),
        (
            "syscall",
            "in system calls",
            breakdown.all_syscalls_ns().unwrap_or(0),
        ),
        ("waiting", "waiting", waiting),
        ("unknown", "not in the trace", breakdown.unknown_ns),
    ];
    let shares = parts.iter().filter(|(.., ns)| *ns > 0);
    let shares = shares.map(|(_, what, ns)| format!("{what} {}", units::duration(*ns)));
    let label = shares.collect::<Vec<_>>().join(", ");
    let mut from = 0.0;
    let rects = parts.map(|(class, what, ns)| {
        let width = (ns as f64 / whole * BAR).min(BAR - from);
        let at = from;
        from += width;
        (class, what, ns, at, width)
    });
    html! {
        svg.bar viewBox={ "0 0 " (BAR) " 12" } preserveAspectRatio="none" role="img" aria-label=(label) {
            @for (class, what, ns, at, width) in rects {
                rect class=(class) x=(at) y="0" width=(width) height="12" {
                    title { (what) " " (units::duration(ns)) }
                }
            }
        }
    }
}
