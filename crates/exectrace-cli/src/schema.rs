//! JSON Schemas of what the program prints as JSON, made of the types that it prints.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::question::{AnswerDocument, Fields};

/// What a command prints as JSON.
pub(crate) struct Document {
    pub(crate) command: &'static str,
    /// What its field `schema` says; `None` where it has none.
    name: Option<&'static str>,
    generate: fn(&mut SchemaGenerator) -> Schema,
}

impl Document {
    /// That of a command that analyses a trace.
    pub(crate) fn answer<T: Fields>(command: &'static str) -> Self {
        Self {
            command,
            name: Some(T::SCHEMA),
            generate: AnswerDocument::<'static, T>::json_schema,
        }
    }

    /// That of another; `name` is what it has as its name and version.
    pub(crate) fn whole<T: JsonSchema>(command: &'static str, name: Option<&'static str>) -> Self {
        Self {
            command,
            name,
            generate: T::json_schema,
        }
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Map<String, Value> {
        let schema = (self.generate)(generator).to_value();
        let mut schema = match schema {
            Value::Object(schema) => schema,
            _ => Map::new(),
        };
        let title = self.name.map_or_else(
            || format!("a line of `exectrace {}`", self.command),
            str::to_owned,
        );
        schema.insert("title".to_owned(), title.into());
        if let Some(name) = self.name
            && let Some(field) = schema
                .get_mut("properties")
                .and_then(|all| all.get_mut("schema"))
        {
            field["const"] = name.into();
        }
        schema
    }
}

/// The schema of what a command prints, or of what any prints: then each is a definition that has the name of
/// its command.
pub(crate) fn schema(documents: &[Document], command: Option<&str>) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let dialect = settings.meta_schema.clone();
    let mut generator = settings.into_generator();
    let wanted = documents
        .iter()
        .filter(|document| command.is_none_or(|command| command == document.command));
    let mut schemas: Vec<(&str, Map<String, Value>)> = wanted
        .map(|document| (document.command, document.schema(&mut generator)))
        .collect();
    let mut definitions = generator.take_definitions(true);
    let mut root = match command.and_then(|_| schemas.pop()) {
        Some((_, schema)) => schema,
        None => {
            let any = schemas.iter();
            let any: Vec<Value> = any
                .map(|(command, _)| json!({ "$ref": format!("#/$defs/{command}") }))
                .collect();
            for (command, schema) in schemas {
                definitions.insert(command.to_owned(), schema.into());
            }
            Map::from_iter([("anyOf".to_owned(), any.into())])
        }
    };
    root.insert(
        "$schema".to_owned(),
        dialect.map_or(Value::Null, |uri| uri.as_ref().into()),
    );
    root.insert("$defs".to_owned(), definitions.into());
    let mut root = Value::Object(root);
    explain(&mut root);
    root
}

/// Turns Rust documentation into descriptions for whoever reads JSON.
fn explain(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(explain),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "description" => *text = plain(text),
                    value => explain(value),
                }
            }
        }
        _ => {}
    }
}

/// A text without links to Rust items and without line breaks inside of paragraphs.
fn plain(documentation: &str) -> String {
    let mut text = String::new();
    let mut rest = documentation;
    // `[`Item`]`, and `[`Item`](path)`.
    while let Some((before, item)) = rest.split_once("[`") {
        let Some((item, after)) = item.split_once("`]") else {
            break;
        };
        text.push_str(before);
        text.push_str(&format!("`{item}`"));
        let target = after
            .strip_prefix('(')
            .and_then(|after| after.split_once(')'));
        rest = target.map_or(after, |(_, after)| after);
    }
    text.push_str(rest);
    let text = text.replace("`None`", "null");
    let paragraphs = text.split("\n\n");
    let paragraphs: Vec<String> = paragraphs
        .map(|paragraph| paragraph.replace('\n', " "))
        .collect();
    paragraphs.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_reads_as_text_without_rust() {
        let text = "Of [`Sight`](crate::Sight) and\n[`Self::x`], or `None`.\n\n[0, 1)";
        assert_eq!(plain(text), "Of `Sight` and `Self::x`, or null.\n\n[0, 1)");
    }
}
