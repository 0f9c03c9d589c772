//! What a person types to name items: numbers, ranges, globs.

/// A list of terms such as `5 7-9 log/*`.
#[derive(Debug, PartialEq, Eq)]
pub struct Selection(Vec<Term>);

#[derive(Debug, PartialEq, Eq)]
enum Term {
    Range(usize, usize),
    Glob(String),
}

impl Selection {
    /// Takes the terms apart; every text is valid, a glob at least.
    pub fn parse(text: &str) -> Self {
        let terms = text
            .split([' ', ',', '\t'])
            .filter(|term| !term.is_empty())
            .map(|term| {
                let range = match term.split_once('-') {
                    Some((from, to)) => from.parse().ok().zip(to.parse().ok()),
                    None => term.parse().ok().map(|number| (number, number)),
                };
                match range {
                    Some((from, to)) => Term::Range(from, to),
                    None => Term::Glob(term.to_owned()),
                }
            });
        Self(terms.collect())
    }

    /// Nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the item with this number (from 1) and any of these names is meant.
    pub fn names(&self, number: usize, names: &[&str]) -> bool {
        self.0.iter().any(|term| match term {
            Term::Range(from, to) => (*from..=*to).contains(&number),
            Term::Glob(pattern) => names.iter().any(|name| glob(pattern, name)),
        })
    }
}

/// Whether a name matches a pattern of `*` (any run of characters, also `/`) and `?`.
pub fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                // Let the last star take one more character.
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, name, expected) in [
            ("log/*", "log/a/b", true),
            ("log/*", "logs", false),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("abc", "abcd", false),
            ("*.gz", "x.gz", true),
        ] {
            assert_eq!(glob(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn selections() {
        let selection = Selection::parse(" 5, 7-9 log/* ");
        let chosen: Vec<usize> = (1..=12)
            .filter(|number| selection.names(*number, &["cmd/df"]))
            .collect();
        assert_eq!(chosen, [5, 7, 8, 9]);
        assert!(selection.names(1, &["log/x"]));
        assert!(Selection::parse("  ").is_empty());
        assert!(!Selection::parse("9-7").names(8, &["x"]));
    }
}
