//! What one turn measured, and medians over the rounds.

use std::time::Duration;

use crate::case::Mode;
use crate::child::Used;
use crate::load::Measured;
use crate::server::Recorded;

/// One server's life under load, in one mode.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) measured: Measured,
    /// While the tool measured.
    pub(crate) used: Used,
    /// With those of the warm-up.
    pub(crate) requests: u64,
    pub(crate) recorded: Vec<Recorded>,
}

impl Turn {
    /// Processor time for a request, in microseconds.
    pub(crate) fn used_us(&self) -> f64 {
        micros(self.used.all) / self.measured.requests as f64
    }

    /// The same, of the flush thread alone.
    pub(crate) fn flush_us(&self) -> f64 {
        micros(self.used.flush) / self.measured.requests as f64
    }

    pub(crate) fn bytes_per_request(&self) -> f64 {
        let bytes: u64 = self.recorded.iter().map(|recorded| recorded.bytes).sum();
        bytes as f64 / self.requests as f64
    }

    pub(crate) fn records_per_request(&self) -> f64 {
        let records: u64 = self.recorded.iter().map(|recorded| recorded.records).sum();
        records as f64 / self.requests as f64
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.recorded.iter().map(|recorded| recorded.dropped).sum()
    }
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// One round: a turn of each mode, in the order of [`Mode::ALL`].
pub(crate) type Round = Vec<Turn>;

/// The median over the rounds of a figure of a mode.
pub(crate) fn median_of(rounds: &[Round], mode: Mode, figure: impl Fn(&Turn) -> f64) -> f64 {
    median(turns(rounds, mode).map(figure).collect())
}

/// The median over the rounds of a figure's ratio to that of another mode in the same round.
pub(crate) fn ratio_of(
    rounds: &[Round],
    mode: Mode,
    base: Mode,
    figure: impl Fn(&Turn) -> f64,
) -> f64 {
    let pairs = turns(rounds, mode).zip(turns(rounds, base));
    median(
        pairs
            .map(|(one, base)| figure(one) / figure(base))
            .collect(),
    )
}

pub(crate) fn turns(rounds: &[Round], mode: Mode) -> impl Iterator<Item = &Turn> {
    let place = Mode::ALL.iter().position(|one| *one == mode);
    rounds.iter().filter_map(move |round| round.get(place?))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.get(middle) {
        Some(upper) if figures.len().is_multiple_of(2) => {
            f64::midpoint(figures[middle - 1], *upper)
        }
        Some(only) => *only,
        None => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(vec![4.0, 1.0, 3.0]), 3.0);
    }
}
