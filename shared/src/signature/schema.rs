//! The JSON Schema of signature files, for editors and other tools.

use serde_json::{Value, json};

/// The schema of one document of a signature file. It is stricter than the parser, which drops
/// unknown keys outside `sitrep`.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Sitrep signature file (CRE with the sitrep key)",
        "type": "object",
        "required": ["rules"],
        "properties": {
            "section": {"type": "string"},
            "rules": {"type": "array", "minItems": 1, "items": signature()},
            "terms": {"type": "object", "additionalProperties": {"$ref": "#/$defs/term"}},
        },
        "additionalProperties": false,
        "$defs": {
            "duration": {"type": "string", "pattern": "^[+-]?([0-9]*\\.?[0-9]+(ns|us|µs|ms|s|m|h))+$|^0$"},
            "term": term(),
            "steps": steps(),
            "version": {
                "type": "object",
                "required": ["package", "version"],
                "properties": {"package": {"type": "string"}, "version": {"type": "string"}},
                "additionalProperties": false,
            },
        },
    })
}

fn signature() -> Value {
    json!({
        "type": "object",
        "required": ["cre"],
        "properties": {
            "metadata": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "pattern": "^[1-9A-Za-z]{12,}$"},
                    "kind": {"type": "string"},
                    "version": {"type": "string"},
                    "hash": {"type": "string"},
                    "generation": {"type": "integer"},
                    "gen": {"type": "integer"},
                    "name": {"type": "string"},
                },
                "additionalProperties": false,
            },
            "cre": cre(),
            "sitrep": extension(),
            "rule": rule(),
        },
        "additionalProperties": false,
    })
}

fn cre() -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let score = json!({"type": "integer", "minimum": 0, "maximum": 10});
    json!({
        "type": "object",
        "required": ["id", "severity", "title", "category"],
        "properties": {
            "id": {"type": "string", "pattern": "^[A-Za-z0-9-]{4,}$"},
            "severity": {"type": "integer", "minimum": 0, "maximum": 4},
            "title": text, "category": text, "author": text, "description": text, "cause": text,
            "impact": text, "mitigation": text, "version": text,
            "impactScore": score, "mitigationScore": score, "reports": {"type": "integer"},
            "tags": texts, "references": texts,
            "applications": {"type": "array", "items": {"type": "object"}},
        },
        "additionalProperties": false,
    })
}

fn extension() -> Value {
    json!({
        "type": "object",
        "required": ["tests"],
        "properties": {
            "status": {"enum": ["draft", "shadow", "live", "retired"]},
            "auto_tag": {"type": "array", "items": {"type": "string"}},
            "requires": {"type": "string", "description": "CEL over facts"},
            "introduced_in": {"$ref": "#/$defs/version"},
            "fixed_in": {"$ref": "#/$defs/version"},
            "evidence_fact": {"type": "string"},
            "article": {"type": "string"},
            "fix": {
                "type": "object",
                "properties": {"plain": {"$ref": "#/$defs/steps"}, "expert": {"$ref": "#/$defs/steps"}},
                "additionalProperties": false,
            },
            "suppress": {"type": "array", "items": {
                "type": "object",
                "required": ["when", "reason"],
                "properties": {
                    "when": {"type": "string"}, "reason": {"type": "string"}, "until": {"type": "string"},
                },
                "additionalProperties": false,
            }},
            "tests": {"type": "array", "minItems": 1, "items": {
                "type": "object",
                "required": ["name", "fires"],
                "properties": {
                    "name": {"type": "string"},
                    "fires": {"type": "boolean"},
                    "evidence": {"type": "array", "items": {"type": "integer", "minimum": 1}},
                    "log": {"type": "string"},
                    "path": {"type": "string"},
                    "facts": {"type": "object"},
                },
                "additionalProperties": false,
            }},
        },
        "additionalProperties": false,
    })
}

fn rule() -> Value {
    let machine = |conditions: &str| {
        json!({
            "type": "object",
            "required": ["event", conditions],
            "properties": {
                "event": {
                    "type": "object",
                    "required": ["source"],
                    "properties": {"source": {"type": "string"}, "origin": {"type": "boolean"}},
                    "additionalProperties": false,
                },
                "window": {"$ref": "#/$defs/duration"},
                conditions: {"type": "array", "minItems": 1, "maxItems": 64, "items": {"$ref": "#/$defs/term"}},
                "negate": {"type": "array", "items": {"$ref": "#/$defs/term"}},
                "correlations": {"type": "array", "items": {"type": "string"}},
            },
            "additionalProperties": false,
        })
    };
    json!({
        "type": "object",
        "minProperties": 1,
        "properties": {"set": machine("match"), "sequence": machine("order")},
        "additionalProperties": false,
    })
}

fn term() -> Value {
    json!({
        "anyOf": [{"type": "string"}, {
            "type": "object",
            "properties": {
                "value": {"type": "string"},
                "regex": {"type": "string"},
                "jq": {"type": "string"},
                "field": {"type": "string"},
                "count": {"type": "integer", "minimum": 1},
                "extract": {"type": "array", "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}, "jq": {"type": "string"}, "regex": {"type": "string"}},
                    "additionalProperties": false,
                }},
                "set": {"type": "object"},
                "sequence": {"type": "object"},
                "promql": {"type": "object"},
                "window": {"$ref": "#/$defs/duration"},
                "slide": {"$ref": "#/$defs/duration"},
                "anchor": {"type": "integer", "minimum": 0, "maximum": 1},
                "absolute": {"type": "boolean"},
            },
            "additionalProperties": false,
        }],
    })
}

fn steps() -> Value {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    json!({"type": "object", "properties": {"en": texts, "zh": texts}, "additionalProperties": false})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data;

    /// Checks types, required and unknown keys: enough to see that schema and files agree.
    fn faults(schema: &Value, root: &Value, value: &Value, path: &str, faults: &mut Vec<String>) {
        if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
            return self::faults(&root["$defs"][name], root, value, path, faults);
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            let fits = |choice: &Value| {
                let mut found = Vec::new();
                self::faults(choice, root, value, path, &mut found);
                found.is_empty()
            };
            if !choices.iter().any(fits) {
                faults.push(format!("{path}: fits no choice"));
            }
            return;
        }
        let typed = match schema["type"].as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("integer") => value.is_i64(),
            Some("boolean") => value.is_boolean(),
            _ => schema["enum"]
                .as_array()
                .is_none_or(|list| list.contains(value)),
        };
        if !typed {
            faults.push(format!("{path}: wrong type"));
        }
        for key in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if value.get(key).is_none() {
                faults.push(format!("{path}: no {key}"));
            }
        }
        for (key, inner) in value.as_object().into_iter().flatten() {
            match (
                schema["properties"].get(key),
                &schema["additionalProperties"],
            ) {
                (Some(property), _) => {
                    self::faults(property, root, inner, &format!("{path}.{key}"), faults)
                }
                (None, Value::Bool(false)) => faults.push(format!("{path}: unknown {key}")),
                (None, other) if other.is_object() => {
                    self::faults(other, root, inner, path, faults)
                }
                _ => {}
            }
        }
        for inner in value.as_array().into_iter().flatten() {
            self::faults(&schema["items"], root, inner, &format!("{path}[]"), faults);
        }
    }

    #[test]
    fn the_file_beside_the_catalogue_is_this_schema() {
        let file: Value =
            serde_json::from_str(include_str!("../../signatures/schema.json")).unwrap();
        let hint = "write it anew with `sitrepctl signature schema`";
        assert!(
            file == schema(),
            "shared/signatures/schema.json is not current: {hint}"
        );
    }

    #[test]
    fn every_file_of_the_catalogue_fits_the_schema() {
        let schema = schema();
        for (name, documents) in data::unpack::<Value>(data::SIGNATURES).unwrap() {
            let mut found = Vec::new();
            for value in &documents {
                faults(&schema, &schema, value, &name, &mut found);
            }
            assert!(found.is_empty(), "{found:?}");
        }
    }

    #[test]
    fn what_the_schema_forbids_is_seen() {
        let schema = schema();
        let value = json!({"rules": [{"cre": {"id": "X"}, "sitrep": {"sttus": "live"}}]});
        let mut found = Vec::new();
        faults(&schema, &schema, &value, "x", &mut found);
        assert!(
            found.iter().any(|f| f.contains("unknown sttus")),
            "{found:?}"
        );
        assert!(found.iter().any(|f| f.contains("no title")), "{found:?}");
    }
}
