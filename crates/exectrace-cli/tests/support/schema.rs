//! The JSON Schemas that the program prints, and whether a document follows one.
//!
//! Knows the words that these schemas have. A field that no schema has is a complaint as well.

use std::collections::BTreeSet;

use serde_json::Value;

use super::json;

/// The schema of what a command prints.
#[derive(Debug)]
pub(crate) struct Schema {
    root: Value,
}

impl Schema {
    /// What `exectrace schema` says of a command.
    pub(crate) fn of(command: &str) -> Self {
        Self {
            root: json(["schema", command]),
        }
    }

    /// What of `value` does not follow the schema, each with its place.
    pub(crate) fn complaints(&self, value: &Value) -> Vec<String> {
        let mut complaints = Vec::new();
        let known = self.check(&self.root, value, "", &mut complaints);
        unknown(value, &known, "", &mut complaints);
        complaints
    }

    /// Checks a value, and gives back which of its fields the schema has.
    fn check(
        &self,
        schema: &Value,
        value: &Value,
        place: &str,
        complaints: &mut Vec<String>,
    ) -> BTreeSet<String> {
        let mut known = BTreeSet::new();
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.strip_prefix("#/$defs/").expect("a definition");
            let definition = &self.root["$defs"][name];
            assert!(definition.is_object(), "no definition of {name}");
            known.extend(self.check(definition, value, place, complaints));
        }
        if let Some(choices) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
            let fits = choices.iter().find_map(|choice| {
                let mut tried = Vec::new();
                let fields = self.check(choice, value, place, &mut tried);
                tried.is_empty().then_some(fields)
            });
            match fits {
                Some(fields) => known.extend(fields),
                None => complaints.push(format!("{place}: {value} is none of {choices:?}")),
            }
        }
        if !fits_type(&schema["type"], value) {
            complaints.push(format!("{place}: {value} is no {}", schema["type"]));
        }
        if let Some(constant) = schema.get("const")
            && constant != value
        {
            complaints.push(format!("{place}: {value} is not {constant}"));
        }
        if let Some(choices) = schema["enum"].as_array()
            && !choices.contains(value)
        {
            complaints.push(format!("{place}: {value} is none of {choices:?}"));
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().expect("a name");
            if value.get(name).is_none() {
                complaints.push(format!("{place}: there is no {name}"));
            }
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            known.insert(name.clone());
            if let Some(value) = value.get(name) {
                self.check_whole(field, value, &format!("{place}.{name}"), complaints);
            }
        }
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            let of_tuple = schema["prefixItems"].get(index);
            if let Some(schema) = of_tuple.or_else(|| schema.get("items")) {
                self.check_whole(schema, item, &format!("{place}[]"), complaints);
            }
        }
        known
    }

    fn check_whole(
        &self,
        schema: &Value,
        value: &Value,
        place: &str,
        complaints: &mut Vec<String>,
    ) {
        let known = self.check(schema, value, place, complaints);
        unknown(value, &known, place, complaints);
    }
}

/// Complains of fields that no part of the schema has.
fn unknown(value: &Value, known: &BTreeSet<String>, place: &str, complaints: &mut Vec<String>) {
    let fields = value.as_object().into_iter().flatten();
    for (name, _) in fields.filter(|(name, _)| !known.contains(*name)) {
        complaints.push(format!("{place}: {name} is not in the schema"));
    }
}

fn fits_type(wanted: &Value, value: &Value) -> bool {
    let fits = |name: &str| match name {
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("a type {other}"),
    };
    match wanted {
        Value::String(name) => fits(name),
        Value::Array(names) => names
            .iter()
            .any(|name| fits(name.as_str().expect("a name"))),
        _ => true,
    }
}
