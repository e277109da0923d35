//! A bar chart of what a span costs, in multiples of the floor, on a logarithmic scale.

use std::fmt::Write as _;

use crate::plan::{Measure, REGION, SPAN, Side, Subject};
use crate::results::Results;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 250.0;
const RIGHT: f64 = 70.0;
const TOP: f64 = 52.0;
const ROW: f64 = 24.0;
/// The scale ends there, in multiples of the floor.
const MOST: f64 = 1000.0;

/// Draws it; subjects that were not measured are not there.
pub(crate) fn draw(subjects: &[&'static Subject], results: &Results) -> String {
    let bars: Vec<(&Subject, f64)> = subjects
        .iter()
        .filter(|subject| !subject.is_off())
        .filter_map(|subject| {
            let of = |body| results.ratio(subject.name, Measure::Hot(body, 1));
            Some((*subject, of(SPAN).or_else(|| of(REGION))?))
        })
        .collect();
    let height = TOP + ROW * bars.len() as f64 + 30.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\" role=\"img\" \
         aria-label=\"What a span costs the thread that records it\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"24\" font-size=\"16\">What a span costs the thread that records it: \
         times a bare record of its begin and end (log scale)</text>\n"
    );
    scale(&mut svg, height);
    for (row, (subject, times)) in bars.iter().enumerate() {
        bar(&mut svg, row, subject, *times);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where a multiple of the floor lies.
fn place(times: f64) -> f64 {
    let part = times.clamp(1.0, MOST).log10() / MOST.log10();
    LEFT + part * (WIDTH - LEFT - RIGHT)
}

fn scale(svg: &mut String, height: f64) {
    for times in [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0] {
        let x = place(times);
        let (top, bottom) = (TOP - 8.0, height - 26.0);
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#dddddd\"/>\n\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#666666\">{times}×</text>",
            height - 10.0
        );
    }
}

fn bar(svg: &mut String, row: usize, subject: &Subject, times: f64) {
    let y = TOP + ROW * row as f64;
    let colour = match subject.side {
        Side::Baseline => "#9aa5b1",
        Side::Ours => "#d9480f",
        Side::Rival => "#4c7eb0",
    };
    // A bar of the floor's own length is still to be seen.
    let width = (place(times) - LEFT).max(2.0);
    let label = match times {
        small if small < 10.0 => format!("{small:.1}×"),
        large => format!("{large:.0}×"),
    };
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n\
         <rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"16\" fill=\"{colour}\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
        LEFT - 8.0,
        y + 13.0,
        subject.name,
        LEFT + width + 6.0,
        y + 13.0
    );
}
