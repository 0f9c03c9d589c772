//! What a run is asked to do, from flags, settings and the ticket.

use super::draft::Occasion;
use crate::cli::{App, Choice, Span};
use crate::collect::Moment;
use crate::config::Origin;
use crate::error::Failure;
use crate::profile::{self, Profile};
use sitrep_shared::age::Recipient;
use sitrep_shared::protocol::CodeInfo;
use std::path::PathBuf;
use std::sync::Arc;

/// What is asked for.
#[derive(Debug)]
pub struct Request {
    /// The profile.
    pub profile: Profile,
    /// Span of time.
    pub span: Span,
    /// The host before a recording.
    pub before: Option<Arc<Moment>>,
    /// Its beginning as a person wrote it.
    pub since: Option<String>,
    /// Items to add.
    pub include: Vec<String>,
    /// Items to leave out.
    pub exclude: Vec<String>,
    /// Another root than `/`.
    pub root: Option<PathBuf>,
    /// Words that must not appear anywhere, such as the upload code.
    pub secrets: Vec<String>,
    /// Ticket.
    pub ticket: Option<String>,
    /// Line for support.
    pub note: Option<String>,
    /// Whom the bundle is encrypted to.
    pub recipient: Option<Recipient>,
    /// `interactive` or `policy`.
    pub basis: &'static str,
    /// What the README says beyond the manifest.
    pub occasion: Occasion,
}

impl Request {
    /// What flags, settings and the ticket together ask for.
    pub fn of(
        app: &App,
        choice: &Choice,
        target: Option<(&str, &CodeInfo)>,
    ) -> Result<Self, Failure> {
        let info = target.map(|(_, info)| info);
        // A flag of this call wins over what the ticket asks for, the ticket over the files.
        let by_flag = app
            .config
            .setting("profile")
            .is_some_and(|setting| matches!(setting.origin, Origin::Flag(_)));
        let name = match info {
            Some(info) if !by_flag && !info.profile.is_empty() => asked_profile(&info.profile)?,
            _ => app
                .config
                .text("profile")
                .unwrap_or(profile::DEFAULT)
                .to_owned(),
        };
        let profile = Profile::load(&name).map_err(|error| {
            Failure::usage("cannot use this profile")
                .because(error)
                .hint("sitrep profiles")
        })?;
        Ok(Self {
            recipient: recipient(app, &profile, info)?,
            profile,
            since: choice
                .since
                .clone()
                .or_else(|| info.and_then(|info| info.since.clone())),
            span: choice.span(app, info.and_then(|info| info.since.as_deref()))?,
            include: choice.include.clone(),
            exclude: choice.exclude.clone(),
            before: choice.before.clone(),
            root: choice.root.clone(),
            secrets: Vec::new(),
            ticket: info.map(|info| info.ticket.key.clone()),
            note: None,
            basis: "policy",
            occasion: Occasion {
                title: info.map(|info| info.ticket.title.clone()),
                requested_by: info.and_then(|info| info.requested_by.clone()),
                host: target.map(|(host, _)| host.to_owned()),
            },
        })
    }
}

/// The key that the settings name, else the profile's, else the one that the collector asks for. One that is none ends
/// the run: nothing is sent in plain that was to be encrypted.
fn recipient(
    app: &App,
    profile: &Profile,
    info: Option<&CodeInfo>,
) -> Result<Option<Recipient>, Failure> {
    let asked = || info.and_then(|info| info.age_recipient.as_deref());
    let text = app.config.text("age_recipient");
    let text = text.or(profile.age_recipient.as_deref()).or_else(asked);
    text.map(Recipient::parse)
        .transpose()
        .map_err(|error| Failure::usage("cannot encrypt to this recipient").because(error))
}

/// A collector may name a built-in profile, never a file of this host.
fn asked_profile(name: &str) -> Result<String, Failure> {
    if name.contains('/') || name.contains('\\') || name.ends_with(".toml") {
        return Err(Failure::usage(format!(
            "the collector asks for a profile by path: {name:?}"
        ))
        .hint("choose one yourself: --profile standard"));
    }
    Ok(name.to_owned())
}
