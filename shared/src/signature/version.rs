//! Order of package versions, as the package managers define it.

use std::cmp::Ordering;

/// Compares two versions in the order of `manager`: `dpkg`, `apt`, `rpm`, `dnf`, `yum`, `zypper`;
/// anything else is compared as semver when both are, and as dpkg otherwise.
pub(super) fn compare(manager: &str, left: &str, right: &str) -> Ordering {
    match manager {
        "rpm" | "dnf" | "yum" | "zypper" => rpm(left, right),
        "dpkg" | "apt" | "deb" => dpkg(left, right),
        _ => semver(left, right).unwrap_or_else(|| dpkg(left, right)),
    }
}

/// Epoch, upstream version and revision, by deb-version(7).
fn dpkg(left: &str, right: &str) -> Ordering {
    let split = |text: &str| -> (u64, String, String) {
        let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        (
            epoch.parse().unwrap_or(0),
            upstream.to_owned(),
            revision.to_owned(),
        )
    };
    let (left, right) = (split(left), split(right));
    let parts = left
        .0
        .cmp(&right.0)
        .then_with(|| dpkg_part(left.1.as_bytes(), right.1.as_bytes()));
    parts.then_with(|| dpkg_part(left.2.as_bytes(), right.2.as_bytes()))
}

/// Alternating non-digits and numbers; `~` sorts before the end, letters before other characters.
fn dpkg_part(mut left: &[u8], mut right: &[u8]) -> Ordering {
    let weight = |b: Option<&u8>| match b {
        Some(b'~') => -1,
        None => 0,
        Some(b) if b.is_ascii_digit() => 0,
        Some(b) if b.is_ascii_alphabetic() => i32::from(*b),
        Some(b) => i32::from(*b) + 256,
    };
    let text = |s: &[u8]| s.first().is_some_and(|b| !b.is_ascii_digit());
    while !left.is_empty() || !right.is_empty() {
        while text(left) || text(right) {
            let order = weight(left.first()).cmp(&weight(right.first()));
            if order != Ordering::Equal {
                return order;
            }
            left = left.get(1..).unwrap_or_default();
            right = right.get(1..).unwrap_or_default();
        }
        let order = number(&mut left).cmp(&number(&mut right));
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// Takes the digits at the start as a number of any size: its length without zeros, and digits.
fn number<'a>(text: &mut &'a [u8]) -> (usize, &'a [u8]) {
    let end = text
        .iter()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    let first = digits
        .iter()
        .position(|b| *b != b'0')
        .unwrap_or(digits.len());
    (digits.len() - first, &digits[first..])
}

/// Epoch, version and release, by rpm's rpmvercmp.
fn rpm(left: &str, right: &str) -> Ordering {
    let split = |text: &str| -> (u64, String, String) {
        let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
        let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
        (
            epoch.parse().unwrap_or(0),
            version.to_owned(),
            release.to_owned(),
        )
    };
    let (left, right) = (split(left), split(right));
    let order = left
        .0
        .cmp(&right.0)
        .then_with(|| rpm_part(left.1.as_bytes(), right.1.as_bytes()));
    // A condition often names only the version; then the release does not matter.
    if left.2.is_empty() || right.2.is_empty() {
        return order;
    }
    order.then_with(|| rpm_part(left.2.as_bytes(), right.2.as_bytes()))
}

fn rpm_part(mut left: &[u8], mut right: &[u8]) -> Ordering {
    let separator = |b: &u8| !b.is_ascii_alphanumeric() && !matches!(b, b'~' | b'^');
    loop {
        left = &left[left
            .iter()
            .position(|b| !separator(b))
            .unwrap_or(left.len())..];
        right = &right[right
            .iter()
            .position(|b| !separator(b))
            .unwrap_or(right.len())..];
        // `~` is before everything, even the end; `^` is after the end, before anything else.
        match (left.first(), right.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                (left, right) = (&left[1..], &right[1..]);
                continue;
            }
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            (Some(b'^'), None) => return Ordering::Greater,
            (None, Some(b'^')) => return Ordering::Less,
            (Some(b'^'), Some(_)) => return Ordering::Less,
            (Some(_), Some(b'^')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(l), Some(r)) => match (l.is_ascii_digit(), r.is_ascii_digit()) {
                (true, false) => return Ordering::Greater,
                (false, true) => return Ordering::Less,
                (true, true) => {
                    let order = number(&mut left).cmp(&number(&mut right));
                    if order != Ordering::Equal {
                        return order;
                    }
                }
                (false, false) => {
                    let order = letters(&mut left).cmp(letters(&mut right));
                    if order != Ordering::Equal {
                        return order;
                    }
                }
            },
        }
    }
}

fn letters<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text
        .iter()
        .position(|b| !b.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    *text = rest;
    word
}

/// Semantic versions; `None` when one of the two is not.
fn semver(left: &str, right: &str) -> Option<Ordering> {
    let (left, left_pre) = semver_parts(left)?;
    let (right, right_pre) = semver_parts(right)?;
    let order = left.cmp(&right);
    if order != Ordering::Equal {
        return Some(order);
    }
    Some(match (left_pre, right_pre) {
        (None, None) => Ordering::Equal,
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (Some(l), Some(r)) => prerelease(l, r),
    })
}

fn semver_parts(text: &str) -> Option<([u64; 3], Option<&str>)> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let text = text.split_once('+').map_or(text, |(version, _)| version);
    let (core, pre) = text
        .split_once('-')
        .map_or((text, None), |(core, pre)| (core, Some(pre)));
    let mut numbers = [0; 3];
    let mut parts = core.split('.');
    for number in &mut numbers {
        *number = parts.next().map_or(Ok(0), str::parse).ok()?;
    }
    parts.next().is_none().then_some((numbers, pre))
}

fn prerelease(left: &str, right: &str) -> Ordering {
    let mut left = left.split('.');
    let mut right = right.split('.');
    loop {
        let (l, r) = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(l), Some(r)) => (l, r),
        };
        let order = match (l.parse::<u64>(), r.parse::<u64>()) {
            (Ok(l), Ok(r)) => l.cmp(&r),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => l.cmp(r),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_their_managers_order() {
        let check = |manager: &str, ascending: &[&str]| {
            for pair in ascending.windows(2) {
                assert_eq!(
                    compare(manager, pair[0], pair[1]),
                    Ordering::Less,
                    "{manager}: {pair:?}"
                );
                assert_eq!(
                    compare(manager, pair[1], pair[0]),
                    Ordering::Greater,
                    "{manager}: {pair:?}"
                );
                assert_eq!(
                    compare(manager, pair[0], pair[0]),
                    Ordering::Equal,
                    "{manager}: {pair:?}"
                );
            }
        };
        check(
            "dpkg",
            &[
                "1.0~rc1",
                "1.0",
                "1.0-1",
                "1.0-1+deb12u1",
                "1.0-2",
                "1.0a",
                "1.0+1",
                "1.9",
                "1.10",
                "1:0.1",
            ],
        );
        check(
            "rpm",
            &[
                "1.0~rc1", "1.0", "1.0^git1", "1.0.a", "1.0.1", "1.0.2", "1.9-3", "1.10-1", "1:0.1",
            ],
        );
        check(
            "npm",
            &[
                "1.0.0-alpha",
                "1.0.0-alpha.1",
                "1.0.0-beta",
                "1.0.0",
                "1.2.9",
                "1.2.10",
                "2.0.0",
            ],
        );
        assert_eq!(compare("rpm", "1.2.3-4.el9", "1.2.3"), Ordering::Equal);
        assert_eq!(compare("npm", "v1.2", "1.2.0"), Ordering::Equal);
    }
}
