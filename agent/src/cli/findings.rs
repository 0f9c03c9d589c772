//! How findings look on a terminal, in short and explained.

use super::App;
use crate::error::{Exit, Failure};
use crate::ui::{Lang, Line, Tone, Ui};
use serde_json::Value;

/// Evidence lines shown with a finding.
const SHOWN_EVIDENCE: usize = 5;

/// Severities from the worst.
pub const SEVERITIES: [&str; 5] = ["critical", "high", "medium", "low", "info"];

/// Where a severity stands; 0 is the worst.
pub fn rank(severity: &str) -> usize {
    SEVERITIES
        .iter()
        .position(|known| *known == severity)
        .unwrap_or(SEVERITIES.len())
}

/// The tone of a severity.
pub fn tone(severity: &str) -> Tone {
    match severity {
        "critical" | "high" => Tone::Bad,
        "medium" => Tone::Warn,
        _ => Tone::Plain,
    }
}

/// A severity in the person's language.
fn severity_word(lang: Lang, severity: &str) -> String {
    if SEVERITIES.contains(&severity) {
        lang.text(&format!("severity_{severity}"), &[])
    } else {
        severity.to_uppercase()
    }
}

fn headline_of(lang: Lang, severity: &str, id: &str, title: &str) -> Line {
    Line::new()
        .text("  ")
        .tone(tone(severity), "▲ ")
        .left_toned(tone(severity), 9, severity_word(lang, severity))
        .text(format!(" {id}  "))
        .tone(Tone::Strong, title)
}

/// `▲ CRITICAL  SIG-0142  Data disk is 96 % full`, as status.
pub fn headline(ui: &mut Ui, severity: &str, id: &str, title: &str) {
    let line = headline_of(ui.style.lang, severity, id, title);
    ui.status(&line);
}

/// Prints `meta/findings.json`, or one finding of it in full.
pub fn show(app: &mut App, report: &Value, id: Option<&str>) -> Result<Exit, Failure> {
    let all = report["findings"].as_array().map_or(&[][..], Vec::as_slice);
    let chosen: Vec<&Value> = all
        .iter()
        .filter(|finding| id.is_none_or(|id| text(finding, "id") == id))
        .collect();
    if let (Some(id), true) = (id, chosen.is_empty()) {
        return Err(Failure::usage(format!("no finding {id:?} in this bundle")));
    }
    if app.ui.style.json {
        match id {
            Some(_) => chosen.iter().for_each(|finding| app.ui.json(finding)),
            None => app.ui.json(report),
        }
        return Ok(Exit::Ok);
    }
    let lang = app.ui.style.lang;
    for finding in &chosen {
        let lines = if id.is_some() {
            explained(finding, lang)
        } else {
            brief(finding, lang)
        };
        lines.iter().for_each(|line| app.ui.data(line));
    }
    if id.is_none() {
        let evaluated = report["evaluated"].as_u64().unwrap_or(0).to_string();
        let skipped = report["not_evaluated"].as_array().map_or(0, Vec::len);
        let (n, skipped) = (chosen.len().to_string(), skipped.to_string());
        let values = [("n", &*n), ("evaluated", &evaluated), ("skipped", &skipped)];
        let text = app.ui.say("findings_count", &values);
        app.ui.data(&Line::new().tone(Tone::Dim, text));
    }
    Ok(Exit::Ok)
}

/// Headline and first evidence.
pub fn brief(finding: &Value, lang: Lang) -> Vec<Line> {
    let mut lines = vec![headline_of(
        lang,
        text(finding, "severity"),
        text(finding, "id"),
        text(finding, "title"),
    )];
    lines.extend(evidence(finding).take(1));
    lines
}

fn explained(finding: &Value, lang: Lang) -> Vec<Line> {
    let mut lines = vec![headline_of(
        lang,
        text(finding, "severity"),
        text(finding, "id"),
        text(finding, "title"),
    )];
    for (label, key) in [
        ("cause", "cause"),
        ("effect", "impact"),
        ("remedy", "mitigation"),
    ] {
        for (number, row) in text(finding, key).lines().enumerate() {
            let label = if number == 0 {
                lang.text(label, &[])
            } else {
                String::new()
            };
            lines.push(
                Line::new()
                    .text("  ")
                    .left_toned(Tone::Dim, 8, label)
                    .text(row),
            );
        }
    }
    let title = |key: &str| {
        Line::new()
            .text("  ")
            .tone(Tone::Strong, lang.text(key, &[]))
    };
    lines.push(title("evidence"));
    lines.extend(evidence(finding).take(SHOWN_EVIDENCE));
    lines.push(title("steps_title"));
    for (number, step) in steps(finding, lang).iter().enumerate() {
        lines.push(Line::of(format!("  {:>4}. {step}", number + 1)));
    }
    for reference in finding["references"].as_array().into_iter().flatten() {
        lines.push(
            Line::new()
                .text("  ")
                .tone(Tone::Dim, reference.as_str().unwrap_or("")),
        );
    }
    lines
}

fn evidence(finding: &Value) -> impl Iterator<Item = Line> + '_ {
    finding["evidence"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|evidence| {
            let place = match evidence["line"].as_u64() {
                Some(line) if line > 0 => format!("{}:{line}", text(evidence, "file")),
                _ => text(evidence, "file").to_owned(),
            };
            Line::new()
                .text("      ")
                .tone(Tone::Dim, place)
                .text("  ")
                .text(text(evidence, "text"))
        })
}

/// Steps for experts in the person's language, or whatever steps there are.
pub fn steps(finding: &Value, lang: Lang) -> Vec<String> {
    let tag = if lang == Lang::ZhCn { "zh" } else { "en" };
    let fix = &finding["fix"];
    let lists = [
        &fix["expert"][tag],
        &fix["plain"][tag],
        &fix["expert"]["en"],
        &fix["plain"]["en"],
    ];
    let list = lists
        .into_iter()
        .filter_map(Value::as_array)
        .find(|list| !list.is_empty());
    list.into_iter()
        .flatten()
        .filter_map(|step| Some(step.as_str()?.to_owned()))
        .collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}
