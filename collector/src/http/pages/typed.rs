//! What somebody typed into a form that was refused. It is shown again above the forms, so that nothing that was written
//! is lost with the refusal.

use super::Frame;

/// Fields that people write into, and their labels.
const LABELS: [(&str, &str); 19] = [
    ("text", "ticket.note"),
    ("hypothesis", "attempt.hypothesis"),
    ("action", "attempt.action"),
    ("result", "attempt.result"),
    ("title", "solution.name"),
    ("steps", "solution.steps"),
    ("success", "solution.success"),
    ("rollback", "solution.rollback"),
    ("note", "close.note"),
    ("team", "ticket.team"),
    ("question", "escalate.question"),
    ("happened", "ticket_new.happened"),
    ("product", "ticket_new.product"),
    ("category", "ticket_new.category"),
    ("contact", "ticket_new.contact"),
    ("next_step", "ticket.next_step"),
    ("reason", "hold.reason"),
    ("body_en", "macros.en"),
    ("body_zh", "macros.zh"),
];

impl Frame {
    /// The same, with what was written into the fields of a form; what only was shown there and sent back is left out.
    pub(super) fn with_typed(mut self, fields: &[(String, String)]) -> Self {
        let value = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v);
        self.typed = LABELS
            .iter()
            .filter_map(|(name, label)| {
                let text = value(name).filter(|text| !text.trim().is_empty())?;
                let shown = value(&format!("was_{name}"));
                (shown != Some(text)).then(|| (*label, text.clone()))
            })
            .collect();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locale::Locale;

    #[test]
    fn what_was_written_is_kept_and_what_was_only_sent_back_is_not() {
        let frame = Frame {
            l: Locale::default(),
            name: String::new(),
            user: None,
            csrf: String::new(),
            path: String::new(),
            theme: String::new(),
            typed: Vec::new(),
        };
        let fields = [
            ("csrf", "secret"),
            ("text", "restart it"),
            ("product", "A"),
            ("was_product", "A"),
            ("contact", "b"),
            ("was_contact", "a"),
            ("team", " "),
        ];
        let fields = fields.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let kept = frame.with_typed(&fields).typed;
        let expected = [
            ("ticket.note", "restart it".to_owned()),
            ("ticket_new.contact", "b".to_owned()),
        ];
        assert_eq!(kept, expected);
    }

    #[test]
    fn every_label_has_its_text() {
        for (_, label) in LABELS {
            assert_ne!(Locale::default().t(label), label);
        }
    }
}
