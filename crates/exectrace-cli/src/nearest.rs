//! Names that a person may have meant, where the one that was typed is not in the trace.

use crate::output::printable;

/// From how alike on, by Jaro and Winkler's measure (0 to 1), a name is worth a mention. Cargo and clap
/// take 0.7 for commands, which are short; names in traces begin alike more often.
const ALIKE: f64 = 0.8;
/// How many names are mentioned.
const MAX_NAMES: usize = 3;

/// The names that are most like the wanted one, in words; empty if there is none.
fn alike<'a>(known: &'a [String], wanted: &str) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let mut alike: Vec<(f64, &str)> = known
        .iter()
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let is_part = !wanted.is_empty() && lower.contains(&wanted);
            let likeness = match is_part {
                true => 1.0,
                false => strsim::jaro_winkler(&lower, &wanted),
            };
            (likeness >= ALIKE).then_some((likeness, name.as_str()))
        })
        .collect();
    // Stable: names as alike stay in the order of the alphabet.
    alike.sort_by(|a, b| b.0.total_cmp(&a.0));
    alike.truncate(MAX_NAMES);
    alike.into_iter().map(|(_, name)| name).collect()
}

/// The message for a name that nothing in the trace has, with the names that are like it. `what` is what has such
/// names, and `lister` the command that shows all.
pub(crate) fn message(what: &str, wanted: &str, known: &[String], lister: &str) -> String {
    if known.iter().any(|name| name == wanted) {
        let wanted = printable(wanted);
        return format!("no {what} is called `{wanted}`; the rest of the trace has some");
    }
    let alike: Vec<String> = alike(known, wanted)
        .into_iter()
        .map(|name| format!("`{}`", printable(name)))
        .collect();
    let hint = match alike.as_slice() {
        [] => format!("`exectrace {lister}` shows the names that there are"),
        names => format!("there is {}", names.join(", ")),
    };
    format!("no {what} is called `{}`; {hint}", printable(wanted))
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn a_name_is_found_by_a_part_of_it_and_in_spite_of_a_slip() {
        let known = ["handle_order", "parse", "save"].map(str::to_owned);
        let said = |wanted| message("region", wanted, &known, "regions");
        let found = "no region is called `order`; there is `handle_order`";
        assert_eq!(said("order"), found);
        assert_eq!(
            said("prase"),
            "no region is called `prase`; there is `parse`"
        );
        let all = "no region is called `xyz`; `exectrace regions` shows the names that there are";
        assert_eq!(said("xyz"), all);
    }
}
