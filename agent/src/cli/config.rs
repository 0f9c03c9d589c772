//! `sitrep config show`: every setting with its origin.

use super::{App, Command};
use crate::config::KEYS;
use crate::error::{Exit, Failure};
use crate::ui::{Line, Tone};
use crate::upload::Via;
use clap::{Args, Subcommand};
use serde_json::json;

/// Arguments of `config`.
#[derive(Args, Debug)]
pub struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Print every setting, its value and where it came from
    Show,
}

impl Command for ConfigCommand {
    const NAME: &'static str = "config";
    const ABOUT: &'static str = "Show the settings and where they came from";

    fn run(self, app: &mut App) -> Result<Exit, Failure> {
        let Action::Show = self.action;
        let mut rows = Vec::new();
        for key in KEYS {
            let setting = app.config.setting(key.name);
            if app.ui.style.json {
                rows.push(
                    json!({"key": key.name, "value": setting.map(|s| shown(key.name, &s.values)),
                    "origin": setting.map(|s| s.origin.to_string()),
                    "locked": setting.is_some_and(|s| s.locked), "about": key.about}),
                );
                continue;
            }
            let value = setting.map_or("-".to_owned(), |s| shown(key.name, &s.values).join(" "));
            let origin = setting.map_or(String::new(), |setting| {
                format!(
                    "{}{}",
                    setting.origin,
                    if setting.locked { ", locked" } else { "" }
                )
            });
            let line = Line::new()
                .left(24, key.name)
                .left(28, value)
                .text("  ")
                .tone(Tone::Dim, origin);
            app.ui.data(&line);
        }
        if app.ui.style.json {
            app.ui
                .json(&json!({"schema": "sitrep.config/1", "settings": rows}));
        }
        Ok(Exit::Ok)
    }
}

/// A proxy is shown without its password.
fn shown(name: &str, values: &[String]) -> Vec<String> {
    if name != "proxy" {
        return values.to_vec();
    }
    let host = |url: &String| {
        Via::parse(url, name).map_or_else(|_| "?".to_owned(), |via| via.shown().to_owned())
    };
    values.iter().map(host).collect()
}
