//! Medians, and the list of aims with what was measured.

use std::fmt::Write as _;

/// The value that half of them are below; NaN of none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The values that a quarter and three quarters of them are below.
#[must_use]
pub fn quartiles(values: &[f64]) -> (f64, f64) {
    (quantile(values, 0.25), quantile(values, 0.75))
}

fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = last as f64 * part;
    let (below, above) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    below + (above - below) * place.fract()
}

/// Aims and whether they were reached, as the last table of a bench.
#[derive(Debug, Default)]
pub struct Verdicts {
    lines: String,
}

impl Verdicts {
    /// Adds an aim of at most `aim`.
    pub fn at_most(&mut self, what: &str, measured: f64, aim: f64, unit: &str) {
        self.add(what, measured, "at most", aim, unit, measured <= aim);
    }

    /// Adds an aim of at least `aim`.
    pub fn at_least(&mut self, what: &str, measured: f64, aim: f64, unit: &str) {
        self.add(what, measured, "at least", aim, unit, measured >= aim);
    }

    /// Adds an aim that could not be looked at.
    pub fn skipped(&mut self, what: &str, why: &str) {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(self.lines, "| {what} | – | – | skipped: {why} |");
    }

    fn add(&mut self, what: &str, measured: f64, sense: &str, aim: f64, unit: &str, met: bool) {
        let verdict = if met { "met" } else { "**missed**" };
        let _ = writeln!(
            self.lines,
            "| {what} | {sense} {aim}{unit} | {measured:.2}{unit} | {verdict} |"
        );
    }

    /// Prints the table.
    pub fn print(&self) {
        println!(
            "\n| aim | | measured | |\n|---|---:|---:|---|\n{}",
            self.lines
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert!((median(&[4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-9);
        assert!((median(&[9.0, 1.0, 3.0]) - 3.0).abs() < 1e-9);
        let (lower, upper) = quartiles(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!((lower - 2.0).abs() < 1e-9 && (upper - 4.0).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }
}
