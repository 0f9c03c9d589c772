//! The words of a ticket: status, priority, impact and urgency, and how the priority follows.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// All, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stored word.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value of a word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.word() == word)
            }
        }
    };
}

words! {
    /// Where a ticket stands.
    Status {
        /// Nobody has looked yet.
        New = "new",
        /// Somebody works on it.
        Open = "open",
        /// The customer has to do or answer something.
        Waiting = "waiting",
        /// A fix was proposed.
        Solved = "solved",
        /// Done.
        Closed = "closed",
    }
}

words! {
    /// How soon it has to be worked on. Urgent sorts first.
    Priority {
        /// Now.
        Urgent = "urgent",
        /// Today.
        High = "high",
        /// In turn.
        Normal = "normal",
        /// When there is time.
        Low = "low",
    }
}

words! {
    /// How many are hit.
    Impact {
        /// A whole site or service is down.
        High = "high",
        /// Several people or a part of the service.
        Medium = "medium",
        /// One person, or an inconvenience.
        Low = "low",
    }
}

words! {
    /// How long it can wait.
    Urgency {
        /// It cannot.
        High = "high",
        /// A day.
        Medium = "medium",
        /// Longer.
        Low = "low",
    }
}

impl Priority {
    /// Impact × urgency.
    pub fn of(impact: Impact, urgency: Urgency) -> Self {
        match impact as u8 + urgency as u8 {
            0 => Self::Urgent,
            1 => Self::High,
            2 => Self::Normal,
            _ => Self::Low,
        }
    }

    /// The least priority that a finding of this severity asks for.
    pub fn for_severity(severity: &str) -> Option<Self> {
        match severity {
            "critical" => Some(Self::Urgent),
            "high" => Some(Self::High),
            _ => None,
        }
    }
}

/// Order of severities, worst first.
pub fn severity_rank(severity: &str) -> usize {
    ["critical", "high", "medium", "low", "info"]
        .iter()
        .position(|s| *s == severity)
        .unwrap_or(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priority_follows_impact_and_urgency() {
        for (impact, urgency, expected) in [
            (Impact::High, Urgency::High, Priority::Urgent),
            (Impact::High, Urgency::Medium, Priority::High),
            (Impact::Medium, Urgency::Medium, Priority::Normal),
            (Impact::High, Urgency::Low, Priority::Normal),
            (Impact::Low, Urgency::Low, Priority::Low),
        ] {
            assert_eq!(Priority::of(impact, urgency), expected);
        }
    }

    #[test]
    fn words_round_trip() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.word()), Some(*status));
        }
        assert_eq!(Status::parse("gone"), None);
    }
}
