//! The words of a ticket: status, priority, impact and urgency, and how the priority follows.

use serde::{Deserialize, Serialize};

/// An enumeration whose values are stored and sent as words.
macro_rules! words {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

        // By hand: the derived one does not see words that a macro puts into `rename`.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .description(Some(concat!($($doc),*).trim()))
                    .enum_values(Some([$($word),+]))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

pub(crate) use words;

words! {
    /// What happens to a ticket: the kinds of events of its timeline, and all that others can learn of it.
    Happened {
        /// It was opened.
        Created = "created",
        /// Somebody of the staff wrote; to the customer when the event is public.
        Note = "note",
        /// The customer wrote.
        Reply = "reply",
        /// The status changed; `from` and `to` in the data.
        Status = "status",
        /// The priority changed.
        Priority = "priority",
        /// Another person is in charge.
        Assigned = "assigned",
        /// Another group works on it.
        Team = "team",
        /// A bundle was asked for.
        Code = "code",
        /// A bundle was attached, or could not be read.
        Bundle = "bundle",
        /// A bundle was deleted.
        Deleted = "deleted",
        /// Signatures found something.
        Findings = "findings",
        /// Tags were set or taken off.
        Tags = "tags",
        /// A finding was judged.
        Verdict = "verdict",
        /// A hypothesis was noted, or what came of it.
        Attempt = "attempt",
        /// A line was pinned.
        Pin = "pin",
        /// Another group is asked, with a summary.
        Escalated = "escalated",
        /// What comes next, and by when, was promised to the customer.
        Promise = "promise",
        /// A solution was proposed to the customer.
        Proposed = "proposed",
        /// The customer said whether it worked; `outcome` in the data.
        Outcome = "outcome",
        /// The customer's link was made.
        Link = "link",
        /// It was closed; `cause` and `resolution` in the data.
        Closed = "closed",
        /// It was opened again by the customer.
        Reopened = "reopened",
        /// The customer said how content they are.
        Satisfaction = "satisfaction",
        /// It was put together with another ticket.
        Merged = "merged",
        /// It goes on in another ticket, or from one; `ticket` in the data.
        FollowUp = "follow-up",
        /// A change was taken back; `event` in the data.
        Undone = "undone",
        /// It became an article.
        Article = "article",
        /// It is connected with a ticket of another system; `connector` and `remote` in the data.
        Connected = "connected",
    }
}

words! {
    /// How somebody is spoken to.
    Audience {
        /// For the person at the machine.
        Plain = "plain",
        /// For an engineer.
        Expert = "expert",
    }
}

words! {
    /// Why it happened.
    Cause {
        /// The product is wrong.
        Defect = "defect",
        /// It was set up wrongly.
        Configuration = "configuration",
        /// Disk, memory or another resource ran out.
        Capacity = "capacity",
        /// Network, system, hardware.
        Environment = "environment",
        /// Another product or service.
        ThirdParty = "third-party",
        /// It was used otherwise than meant.
        Usage = "usage",
        /// Nobody knows.
        Unknown = "unknown",
    }
}

words! {
    /// How it ended.
    Resolution {
        /// The problem is gone.
        Fixed = "fixed",
        /// There is a way around it.
        Workaround = "workaround",
        /// It was explained.
        Explained = "explained",
        /// It is the same as another ticket.
        Duplicate = "duplicate",
        /// The customer does not answer.
        NoAnswer = "no-answer",
        /// It will stay as it is.
        Declined = "declined",
    }
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
