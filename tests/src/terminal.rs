//! A person at a terminal: the agent behind a pseudo terminal of util-linux' `script`, answers typed, the
//! screen read.

use crate::process::{self, wait_for};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A person waits this long for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// A session at a terminal of 100 columns.
pub struct Terminal {
    child: Child,
    keyboard: Option<ChildStdin>,
    screen: Arc<Mutex<String>>,
    seen: usize,
}

impl Terminal {
    /// Starts `command` with the terminal as its input, output and error.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &Command) -> Result<Self, String> {
        let mut line = String::from("stty cols 100 rows 50; exec env -i");
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                let pair = format!("{}={}", name.display(), value.display());
                line.push_str(&format!(" {}", quoted(&pair)));
            }
        }
        let program = std::iter::once(command.get_program()).chain(command.get_args());
        for word in program {
            line.push_str(&format!(" {}", quoted(&word.display().to_string())));
        }
        let mut script = process::command(Path::new("/usr/bin/script"));
        script
            .args(["-q", "-e", "-f", "-c", &line, "/dev/null"])
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(dir) = command.get_current_dir() {
            script.current_dir(dir);
        }
        let mut child = script
            .spawn()
            .map_err(|error| format!("cannot start script: {error}"))?;
        let screen = Arc::new(Mutex::new(String::new()));
        if let Some(mut output) = child.stdout.take() {
            let screen = Arc::clone(&screen);
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let mut chunk = [0u8; 4096];
                while let Ok(count) = output.read(&mut chunk) {
                    if count == 0 {
                        break;
                    }
                    bytes.extend_from_slice(&chunk[..count]);
                    if let Ok(mut screen) = screen.lock() {
                        *screen = String::from_utf8_lossy(&bytes).into_owned();
                    }
                }
            });
        }
        Ok(Self {
            keyboard: child.stdin.take(),
            child,
            screen,
            seen: 0,
        })
    }

    /// Everything that was ever on the screen, without colours and cursor movements.
    #[must_use]
    pub fn screen(&self) -> String {
        self.screen
            .lock()
            .map(|screen| plain(&screen))
            .unwrap_or_default()
    }

    /// Waits until `text` appears after what was waited for before.
    ///
    /// # Errors
    /// With the screen, when it does not come.
    pub fn wait_for(&mut self, text: &str) -> Result<(), String> {
        let mut found = None;
        let waited = wait_for(text, PATIENCE, || {
            let screen = self.screen();
            let from = self.seen.min(screen.len());
            found = screen
                .get(from..)
                .and_then(|new| new.find(text))
                .map(|at| from + at + text.len());
            found.is_some() || self.child.try_wait().is_ok_and(|ended| ended.is_some())
        });
        match found {
            Some(at) => {
                self.seen = at;
                Ok(())
            }
            None => Err(format!(
                "{waited:?}: {text:?} does not come\n{}",
                self.screen()
            )),
        }
    }

    /// Types keys; `\x03` is Ctrl-C.
    ///
    /// # Errors
    /// When the session is over.
    pub fn keys(&mut self, keys: &str) -> Result<(), String> {
        let keyboard = self.keyboard.as_mut().ok_or("no keyboard")?;
        keyboard
            .write_all(keys.as_bytes())
            .and_then(|()| keyboard.flush())
            .map_err(|error| format!("cannot type: {error}\n{}", self.screen()))
    }

    /// Waits for `text`, then types a line.
    ///
    /// # Errors
    /// As the two.
    pub fn answer(&mut self, text: &str, line: &str) -> Result<(), String> {
        self.wait_for(text)?;
        self.keys(&format!("{line}\n"))
    }

    /// Waits for the end; the exit code and the whole screen.
    ///
    /// # Errors
    /// When it does not end.
    pub fn end(mut self) -> Result<(Option<i32>, String), String> {
        let mut code = None;
        wait_for("the session to end", PATIENCE, || {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    code = status.code();
                    true
                }
                _ => false,
            }
        })
        .map_err(|error| format!("{error}\n{}", self.screen()))?;
        // The reader may have one chunk to go.
        let mut last = String::new();
        let _ = wait_for("the last line", Duration::from_secs(2), || {
            let now = self.screen();
            let same = now == last && !now.is_empty();
            last = now;
            same
        });
        Ok((code, last))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The text as it was read: escape sequences gone, a rewritten line as a line of its own.
fn plain(screen: &str) -> String {
    let mut out = String::new();
    let mut rest = screen.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\x1b' => {
                if rest.next_if_eq(&'[').is_some() {
                    while rest.next_if(|c| !c.is_ascii_alphabetic()).is_some() {}
                    rest.next();
                }
            }
            '\r' => {
                if rest.peek() != Some(&'\n') && !out.ends_with('\n') {
                    out.push('\n');
                }
            }
            other => out.push(other),
        }
    }
    out
}
