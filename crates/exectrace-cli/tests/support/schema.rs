//! The schema in `JSON.md`, and whether a document follows it.
//!
//! A heading ``### `Name` `` begins a type; each row ``| `field` | type | … |`` below it is a field.
//! Types: `integer`, `number`, `text`, `boolean`, `[T]`, and names; `T?` may be null. A field whose
//! name ends in `?` may be missing.

use std::collections::BTreeMap;

use serde_json::Value;

/// The types of `JSON.md`, each with its fields.
#[derive(Debug)]
pub(crate) struct Schema {
    types: BTreeMap<String, BTreeMap<String, Field>>,
}

#[derive(Debug)]
struct Field {
    ty: String,
    is_optional: bool,
}

impl Schema {
    pub(crate) fn documented() -> Self {
        let mut types: BTreeMap<String, BTreeMap<String, Field>> = BTreeMap::new();
        let mut current = None;
        for line in include_str!("../../JSON.md").lines() {
            if let Some(title) = line.strip_prefix("### ") {
                current = Some(title.trim_matches('`').to_owned());
            } else if let (Some(ty), Some(row)) = (&current, line.strip_prefix("| `")) {
                let (name, rest) = row.split_once("` | ").expect("a row has a type");
                let (ty_of_field, _) = rest.split_once(" | ").expect("a row says what it is");
                let field = Field {
                    ty: ty_of_field.trim_matches('`').to_owned(),
                    is_optional: name.ends_with('?'),
                };
                let name = name.trim_end_matches('?').to_owned();
                types.entry(ty.clone()).or_default().insert(name, field);
            }
        }
        assert!(types.len() > 10, "where is the schema?");
        Self { types }
    }

    /// The types that stand for whole documents, by the schema they name.
    pub(crate) fn documents(&self) -> Vec<&str> {
        let names = self.types.keys().map(String::as_str);
        names
            .filter(|name| name.starts_with("exectrace."))
            .collect()
    }

    /// What of `value` does not follow the type, each with its place.
    pub(crate) fn complaints(&self, ty: &str, value: &Value) -> Vec<String> {
        let mut complaints = Vec::new();
        self.check(ty, value, ty, &mut complaints);
        complaints.dedup();
        complaints
    }

    fn check(&self, ty: &str, value: &Value, place: &str, complaints: &mut Vec<String>) {
        if let Some(inner) = ty.strip_suffix('?') {
            if !value.is_null() {
                self.check(inner, value, place, complaints);
            }
            return;
        }
        if let Some(inner) = ty.strip_prefix('[').and_then(|ty| ty.strip_suffix(']')) {
            match value.as_array() {
                Some(items) => {
                    for item in items {
                        self.check(inner, item, place, complaints);
                    }
                }
                None => complaints.push(format!("{place} is no list")),
            }
            return;
        }
        let fits = match ty {
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "text" => value.is_string(),
            "boolean" => value.is_boolean(),
            _ => return self.check_object(ty, value, place, complaints),
        };
        if !fits {
            complaints.push(format!("{place} is no {ty} but {value}"));
        }
    }

    fn check_object(&self, ty: &str, value: &Value, place: &str, complaints: &mut Vec<String>) {
        let Some(fields) = self.types.get(ty) else {
            complaints.push(format!(
                "{place} has the type {ty}, which is not documented"
            ));
            return;
        };
        let Some(object) = value.as_object() else {
            complaints.push(format!("{place} is no object"));
            return;
        };
        for (name, field) in fields {
            match object.get(name) {
                Some(value) => self.check(&field.ty, value, &format!("{ty}.{name}"), complaints),
                None if field.is_optional => {}
                None => complaints.push(format!("{ty}.{name} is documented and not there")),
            }
        }
        for name in object.keys().filter(|name| !fields.contains_key(*name)) {
            complaints.push(format!("{ty}.{name} is not documented in JSON.md"));
        }
    }
}
