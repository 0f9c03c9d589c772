//! Which names a bundle may hold, for the writer and for the reader.

use super::limits::{Limits, Reason, Reject};

/// Checks a path relative to the top directory: plain components, no way out, nothing hidden.
///
/// # Errors
/// The reason code that `reference` of the format gives for the first fault.
pub fn check(path: &str, limits: &Limits) -> Result<(), Reject> {
    let reject = |reason| Err(Reject::new(reason, format!("name {path:?}")));
    if path.starts_with('/') {
        return reject(Reason::AbsolutePath);
    }
    if path.len() > limits.path_bytes {
        return Err(Reject::new(
            Reason::LimitPath,
            format!("a path of {} bytes", path.len()),
        ));
    }
    let mut depth = 0;
    for component in path.split('/') {
        depth += 1;
        match component {
            ".." => return reject(Reason::PathTraversal),
            "" | "." => return reject(Reason::BadName),
            long if long.len() > limits.component_bytes => return reject(Reason::LimitPath),
            _ => {}
        }
    }
    if depth > limits.depth {
        return reject(Reason::LimitDepth);
    }
    if path.chars().any(unsafe_char) {
        return reject(Reason::BadName);
    }
    Ok(())
}

/// Checks that a link stays below the top directory (`link` is relative to it).
///
/// # Errors
/// `absolute_path`, `path_traversal` or `bad_name`.
pub fn check_link(link: &str, target: &str, limits: &Limits) -> Result<(), Reject> {
    let reject = |reason| Err(Reject::new(reason, format!("link {link:?} to {target:?}")));
    if target.starts_with('/') {
        return reject(Reason::AbsolutePath);
    }
    if target.is_empty() || target.len() > limits.path_bytes || target.chars().any(unsafe_char) {
        return reject(Reason::BadName);
    }
    let mut depth = link.matches('/').count();
    for component in target.split('/') {
        match component {
            ".." => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return reject(Reason::PathTraversal),
            },
            "" | "." => {}
            _ => depth += 1,
        }
    }
    Ok(())
}

/// Makes any host path storable: what may not stand in a name becomes `\xNN`, `..` and empty
/// components go, long components are cut. Two names may become one; the writer then refuses the
/// second.
#[must_use]
pub fn storable(path: &[u8], limits: &Limits) -> String {
    let text = String::from_utf8_lossy(path);
    let mut out = String::with_capacity(text.len());
    for component in text
        .split('/')
        .filter(|c| !matches!(*c, "" | "." | ".."))
        .take(limits.depth)
    {
        if !out.is_empty() {
            out.push('/');
        }
        let start = out.len();
        for c in component.chars() {
            let room = limits.component_bytes.saturating_sub(out.len() - start);
            let shown = if unsafe_char(c) {
                c.escape_unicode().to_string()
            } else {
                c.to_string()
            };
            if shown.len() > room {
                break;
            }
            out.push_str(&shown);
        }
    }
    out
}

fn unsafe_char(c: char) -> bool {
    c == '\t' || crate::escape::hostile(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged() {
        let limits = Limits::default();
        let long = "a".repeat(256);
        let deep = vec!["d"; 65].join("/");
        let huge = vec!["a".repeat(200); 21].join("/");
        for (path, reason) in [
            ("sos/etc/fstab", None),
            ("sos/etc/systemd/dev-disk-by\\x2dlabel.mount", None),
            ("sos/ümläut", None),
            ("/etc/passwd", Some(Reason::AbsolutePath)),
            ("../x", Some(Reason::PathTraversal)),
            ("a/../x", Some(Reason::PathTraversal)),
            ("a//b", Some(Reason::BadName)),
            ("./a", Some(Reason::BadName)),
            ("", Some(Reason::BadName)),
            ("a/", Some(Reason::BadName)),
            ("a\nb", Some(Reason::BadName)),
            ("a\u{202e}b", Some(Reason::BadName)),
            (&long, Some(Reason::LimitPath)),
            (&huge, Some(Reason::LimitPath)),
            (&deep, Some(Reason::LimitDepth)),
        ] {
            assert_eq!(
                check(path, &limits).err().map(|r| r.reason),
                reason,
                "{path:?}"
            );
            let stored = storable(path.as_bytes(), &limits);
            assert!(
                stored.is_empty()
                    || stored.len() > limits.path_bytes
                    || check(&stored, &limits).is_ok(),
                "{stored:?}"
            );
        }
    }

    #[test]
    fn links_stay_inside() {
        let limits = Limits::default();
        for (link, target, reason) in [
            ("sos/uptime", "sos_commands/host/uptime", None),
            ("sos/a/b", "../../README.txt", None),
            ("sos/a", "../..", Some(Reason::PathTraversal)),
            ("sos/a", "b/../../../x", Some(Reason::PathTraversal)),
            ("sos/a", "/etc/passwd", Some(Reason::AbsolutePath)),
            ("sos/a", "", Some(Reason::BadName)),
        ] {
            assert_eq!(
                check_link(link, target, &limits).err().map(|r| r.reason),
                reason,
                "{link} {target}"
            );
        }
    }
}
