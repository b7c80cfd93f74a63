//! A JSON value held against a schema of an OpenAPI document, strictly: what the schema does not name is a fault.

use serde_json::Value;

/// Everything in which the value is not as the schema says.
pub fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    walk(document, schema, value, "$", &mut faults);
    faults
}

fn walk(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.strip_prefix('#').unwrap();
        match document.pointer(pointer) {
            Some(schema) => walk(document, schema, value, at, faults),
            None => faults.push(format!("{at}: the document has no {name}")),
        }
        return;
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let fits = choices.iter().any(|one| self::faults(document, one, value).is_empty());
            if !fits {
                faults.push(format!("{at}: {value} is none of {choice}"));
            }
            return;
        }
    }
    let kinds: Vec<&str> = match &schema["type"] {
        // Anything goes.
        Value::Null => return,
        Value::String(kind) => vec![kind],
        kinds => kinds.as_array().unwrap().iter().map(|kind| kind.as_str().unwrap()).collect(),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !kinds.contains(&kind) {
        faults.push(format!("{at}: {value} is {kind}, not {kinds:?}"));
        return;
    }
    match value {
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                walk(document, &schema["items"], item, &format!("{at}[{i}]"), faults);
            }
        }
        Value::Object(members) => {
            for name in schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap()) {
                if !members.contains_key(name) {
                    faults.push(format!("{at}: {name} is missing"));
                }
            }
            for (name, member) in members {
                let at = format!("{at}.{name}");
                match (schema["properties"].get(name), &schema["additionalProperties"]) {
                    (Some(schema), _) => walk(document, schema, member, &at, faults),
                    (None, more @ Value::Object(_)) => walk(document, more, member, &at, faults),
                    (None, _) => faults.push(format!("{at}: the schema does not name it")),
                }
            }
        }
        _ => {}
    }
}
