//! Numbers with their units: read from the command line, and shown to people.

use std::time::Duration;

use crate::Histogram;

/// A duration in nanoseconds with three digits that count: `845ns`, `12.3µs`, `1.50ms`, `2.04s`.
pub fn duration(ns: u64) -> String {
    for (unit_ns, name) in [(1e9, "s"), (1e6, "ms"), (1e3, "µs")] {
        let value = ns as f64 / unit_ns;
        // What rounds to a thousand of the smaller unit is one of this.
        if value >= 0.999_5 {
            return format!("{}{name}", three_digits(value));
        }
    }
    format!("{ns}ns")
}

/// An instant since the trace's beginning, in seconds, to the microsecond: `1.234567s`. What
/// `--from` and `--to` take.
pub fn instant(ns: u64) -> String {
    format!("{}.{:06}s", ns / 1_000_000_000, ns / 1_000 % 1_000_000)
}

/// A quantile of a distribution; of nothing there is none.
pub fn quantile(durations: &Histogram, quantile: f64) -> String {
    match durations.count() {
        0 => "-".to_owned(),
        _ => duration(durations.quantile(quantile)),
    }
}

/// The longest of a distribution; of nothing there is none.
pub fn longest(durations: &Histogram) -> String {
    match durations.count() {
        0 => "-".to_owned(),
        _ => duration(durations.max_ns()),
    }
}

/// The sum of a distribution; of nothing there is none.
pub fn total(durations: &Histogram) -> String {
    match durations.count() {
        0 => "-".to_owned(),
        _ => duration(durations.total_ns()),
    }
}

/// As [`duration`], of a difference.
pub fn signed_duration(ns: i64) -> String {
    let sign = if ns < 0 { '-' } else { '+' };
    format!("{sign}{}", duration(ns.unsigned_abs()))
}

/// An amount of bytes: `845 B`, `12.3 kB`, `1.50 MB`.
pub fn bytes(amount: u64) -> String {
    for (unit, name) in [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")] {
        let value = amount as f64 / unit;
        if value >= 0.999_5 {
            return format!("{} {name}", three_digits(value));
        }
    }
    format!("{amount} B")
}

/// A count with its thousands apart: `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A count and its noun: `1 event`, `12,345 events`.
pub fn plural(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

/// A share of a whole: `12.3%`; nothing of nothing is `-`.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let value = part as f64 * 100.0 / whole as f64;
    if part > 0 && value < 0.05 {
        return "<0.1%".to_owned();
    }
    format!("{value:.1}%")
}

/// A length of time of which only bounds may be known: `12.3µs`, `≤ 12.3µs`, `4.00µs–12.3µs`; `shown` shows one.
pub fn bounds(at_least_ns: u64, at_most_ns: u64, shown: impl Fn(u64) -> String) -> String {
    let at_most = shown(at_most_ns);
    match at_least_ns {
        at_least_ns if at_least_ns == at_most_ns => at_most,
        0 => format!("≤ {at_most}"),
        at_least_ns => format!("{}–{at_most}", shown(at_least_ns)),
    }
}

fn three_digits(value: f64) -> String {
    if value >= 99.95 {
        format!("{value:.0}")
    } else if value >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// An instant or a duration on the command line, in nanoseconds.
///
/// A number with `ns`, `us`, `µs`, `ms`, `s`, `m` or `h`; without a unit it counts seconds.
///
/// # Errors
///
/// It is no such number, or more than 292 years. The text says what is wrong.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let end = text
        .find(|character: char| !character.is_ascii_digit() && character != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit_ns: f64 = match unit.trim() {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "ms" => 1e6,
        "" | "s" => 1e9,
        "m" | "min" => 60e9,
        "h" => 3_600e9,
        other => {
            return Err(format!(
                "no such unit: {other}; there are ns, us, ms, s, m, h"
            ));
        }
    };
    let value: f64 = number
        .parse()
        .map_err(|_| "not a number with a unit, as in 250ms or 1.5s".to_owned())?;
    let ns = value * unit_ns;
    // Beyond this lie more years than any trace has.
    if ns.is_finite() && ns < i64::MAX as f64 {
        Ok(Duration::from_nanos(ns.round() as u64))
    } else {
        Err("more than 292 years".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_the_right_unit() {
        for (ns, shown) in [
            (0, "0ns"),
            (999, "999ns"),
            (1_000, "1.00µs"),
            (12_345, "12.3µs"),
            (999_499, "999µs"),
            (999_500, "1.00ms"),
            (1_500_000, "1.50ms"),
            (99_960_000, "100ms"),
            (61_000_000_000, "61.0s"),
            (u64::MAX, "18446744074s"),
        ] {
            assert_eq!(duration(ns), shown, "{ns}");
        }
    }

    #[test]
    fn counts_bytes_and_shares_are_shown_short() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(123), "123");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(84_230), "84.2 kB");
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!(percent(1, 100_000), "<0.1%");
        assert_eq!(percent(0, 0), "-");
    }

    #[test]
    fn what_is_typed_is_understood_or_refused() {
        let ns = |text| parse_duration(text).map(|duration| duration.as_nanos());
        assert_eq!(ns("250ms"), Ok(250_000_000));
        assert_eq!(ns("1.5"), Ok(1_500_000_000));
        assert_eq!(ns("0.5 µs"), Ok(500));
        assert_eq!(ns("2m"), Ok(120_000_000_000));
        for wrong in [
            "",
            "ms",
            "-1s",
            "1x",
            "1.2.3s",
            "1e400h",
            "99999999999h",
            "nan",
        ] {
            assert!(ns(wrong).is_err(), "{wrong}");
        }
    }
}
