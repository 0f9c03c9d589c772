//! Which commands a profile of a file may add: those on the local allow-list, a file of root. What a source
//! plans itself needs no list; it is compiled in.
//!
//! A line is a command with its arguments, separated by blanks; `*` stands for one argument that is no option.
//! What follows `#` is a comment.

use super::host::Host;

/// The list.
pub const LIST: &str = "/etc/sitrep/commands";

/// Why a profile may not run `argv` here, or none when it may.
pub fn refusal(host: &Host, argv: &[String]) -> Option<String> {
    let Some(meta) = host.stat(LIST) else {
        return Some(format!(
            "not on the local allow-list: there is no {LIST}; a line in it, by root, allows a command"
        ));
    };
    // Ours, when we are not root: then it gives no right that we have not.
    let owned = meta.uid == 0 || meta.uid == host.uid();
    if !owned || meta.mode & 0o022 != 0 || !meta.is_file() {
        return Some(format!(
            "{LIST} is not root's alone, so that nothing on it counts"
        ));
    }
    let text = host.text(LIST).unwrap_or_default();
    let listed = text.lines().any(|line| {
        let line = line.split('#').next().unwrap_or("");
        let words: Vec<&str> = line.split_whitespace().collect();
        words.len() == argv.len()
            && !words.is_empty()
            && words
                .iter()
                .zip(argv)
                .all(|(word, argument)| *word == argument || (*word == "*" && plain(argument)))
    });
    (!listed).then(|| format!("not on the local allow-list {LIST}"))
}

fn plain(argument: &str) -> bool {
    !argument.is_empty() && !argument.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn only_what_root_has_listed() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let host = Host::at(dir.path()).expect("host");
        let ask = |line: &str| {
            let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
            refusal(&host, &argv)
        };
        assert!(ask("uptime").is_some_and(|why| why.contains("there is no")));
        let list = dir.path().join("etc/sitrep/commands");
        std::fs::create_dir_all(list.parent().expect("a folder")).expect("made");
        std::fs::write(
            &list,
            "uptime # how long\npg_lsclusters -h\nnginx -T -c *\n",
        )
        .expect("written");
        for (line, allowed) in [
            ("uptime", true),
            ("uptime -p", false),
            ("nginx -T -c /etc/nginx.conf", true),
            ("nginx -T -c -g", false),
            ("rm -rf /", false),
        ] {
            assert_eq!(ask(line).is_none(), allowed, "{line}");
        }
        let mode = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(&list, mode).expect("set");
        assert!(ask("uptime").is_some_and(|why| why.contains("alone")));
    }
}
