//! Bars of eighths of a block, for shares that are to be seen at a glance.

/// A bar of `part` of `whole`, at most `width` columns long; ASCII where the locale is not UTF-8.
pub(crate) fn bar(part: u64, whole: u64, width: usize) -> String {
    if whole == 0 {
        return String::new();
    }
    let share = (part as f64 / whole as f64).clamp(0.0, 1.0);
    if is_utf8() {
        blocks(share, width)
    } else {
        "#".repeat((share * width as f64).round() as usize)
    }
}

fn blocks(share: f64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share * width as f64 * 8.0).round() as usize;
    let mut shown = "█".repeat(eighths / 8);
    shown.push_str(EIGHTHS[eighths % 8]);
    shown
}

/// Whether the terminal can be expected to show more than ASCII: unless the environment names
/// another encoding, or none at all in the locale `C`.
fn is_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty());
    locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn a_bar_is_as_long_as_the_share() {
        assert_eq!(blocks(1.0, 3), "███");
        assert_eq!(blocks(0.5, 3), "█▌");
        assert_eq!(blocks(0.0, 3), "");
    }
}
