//! What was derived from items and must go with them when they are deselected.

use serde_json::Value;

/// Removes evidence quoted from these files, and findings that have none left; returns their ids.
pub fn without_evidence(findings: &mut Value, gone: &[String]) -> Vec<String> {
    let mut lost = Vec::new();
    let Some(list) = findings.get_mut("findings").and_then(Value::as_array_mut) else {
        return lost;
    };
    list.retain_mut(|finding| {
        let Some(evidence) = finding.get_mut("evidence").and_then(Value::as_array_mut) else {
            return true;
        };
        let before = evidence.len();
        evidence.retain(|line| !names(line, "file", gone));
        let keep = before == 0 || !evidence.is_empty();
        if !keep {
            lost.push(finding["id"].as_str().unwrap_or("?").to_owned());
        }
        keep
    });
    lost
}

/// Removes the reports of these files and corrects the totals.
pub fn without_reports(redaction: &mut Value, gone: &[String]) {
    let Some(files) = redaction.get_mut("files").and_then(Value::as_array_mut) else {
        return;
    };
    files.retain(|file| !names(file, "path", gone));
    let mut by_rule = serde_json::Map::new();
    let mut total = 0;
    for (rule, count) in files
        .iter()
        .flat_map(|file| file["by_rule"].as_object())
        .flatten()
    {
        let count = count.as_u64().unwrap_or(0);
        total += count;
        let sum = by_rule.get(rule).and_then(Value::as_u64).unwrap_or(0) + count;
        by_rule.insert(rule.clone(), sum.into());
    }
    redaction["total"] = total.into();
    redaction["by_rule"] = Value::Object(by_rule);
}

/// Removes groups of facts, and elements of lists of facts, that were read from these files.
pub fn without_facts(facts: &mut Value, gone: &[String]) {
    let Some(groups) = facts.as_object_mut() else {
        return;
    };
    groups.retain(|_, group| !names(group, "item", gone));
    for list in groups.values_mut().filter_map(Value::as_array_mut) {
        list.retain(|element| !names(element, "item", gone));
    }
}

fn names(value: &Value, key: &str, gone: &[String]) -> bool {
    value
        .get(key)
        .and_then(Value::as_str)
        .is_some_and(|path| gone.iter().any(|name| name == path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_read_from_an_item_goes_with_it() {
        let gone = ["sos/a".to_owned()];
        let mut findings = json!({"findings": [
            {"id": "S-1", "evidence": [{"file": "sos/a"}]},
            {"id": "S-2", "evidence": [{"file": "sos/a"}, {"file": "sos/b"}]},
            {"id": "S-3", "evidence": []}]});
        assert_eq!(without_evidence(&mut findings, &gone), ["S-1"]);
        assert_eq!(
            findings["findings"][0]["evidence"],
            json!([{"file": "sos/b"}])
        );

        let mut report = json!({"total": 5, "by_rule": {"x": 5}, "files": [
            {"path": "sos/a", "by_rule": {"x": 3}}, {"path": "sos/b", "by_rule": {"x": 2}}]});
        without_reports(&mut report, &gone);
        assert_eq!(
            (&report["total"], &report["by_rule"]),
            (&json!(2), &json!({"x": 2}))
        );

        let mut facts = json!({"os": {"item": "sos/a"}, "disks": [{"item": "sos/a"}, {"item": "sos/b"}], "n": 1});
        without_facts(&mut facts, &gone);
        assert_eq!(facts, json!({"disks": [{"item": "sos/b"}], "n": 1}));
    }
}
