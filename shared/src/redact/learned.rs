//! What a host says about itself in its own files: its names, its domains, its people.

/// Users from this id on are people.
const FIRST_PERSON: u32 = 1000;

/// What the host says about itself; `strict` gives stand-ins for these wherever they stand.
#[derive(Debug, Clone, Default)]
pub struct Learned {
    /// Host names, short and full.
    pub hosts: Vec<String>,
    /// Domains.
    pub domains: Vec<String>,
    /// Login names.
    pub users: Vec<String>,
    /// Serial numbers, asset tags, machine ids.
    pub serials: Vec<String>,
}

impl Learned {
    /// Learns from `/etc/hostname`, `/etc/hosts`, `/etc/resolv.conf` and `/etc/passwd`; `read` gives a
    /// file's text, empty when there is none.
    #[must_use]
    pub fn from_files(read: impl Fn(&str) -> String) -> Self {
        let mut learned = Self::default();
        if let Some(name) = words(&read("/etc/hostname")).into_iter().flatten().next() {
            learned.add_host(&name);
        }
        for line in words(&read("/etc/hosts")) {
            for name in line
                .iter()
                .skip(1)
                .filter(|n| !n.contains("localhost") && !n.starts_with("ip6-"))
            {
                learned.add_host(name);
            }
        }
        for line in words(&read("/etc/resolv.conf")) {
            if matches!(line.first().map(String::as_str), Some("search" | "domain")) {
                learned
                    .domains
                    .extend(line.into_iter().skip(1).filter(|d| d.contains('.')));
            }
        }
        for line in read("/etc/passwd").lines() {
            let mut fields = line.split(':');
            let (user, id) = (
                fields.next(),
                fields.nth(1).and_then(|id| id.parse::<u32>().ok()),
            );
            if let (Some(user), Some(id)) = (user, id)
                && id >= FIRST_PERSON
                && user != "nobody"
            {
                learned.users.push(user.to_owned());
            }
        }
        learned
    }

    /// Adds a host's name; of a full one also its first label and its domain.
    pub fn add_host(&mut self, name: &str) {
        self.hosts.push(name.to_owned());
        if let Some((short, domain)) = name.split_once('.') {
            self.hosts.push(short.to_owned());
            self.domains.push(domain.to_owned());
        }
    }
}

/// The words of each line that is no comment.
fn words(text: &str) -> Vec<Vec<String>> {
    text.lines()
        .map(|l| l.split('#').next().unwrap_or_default())
        .map(|l| l.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter(|w| !w.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_tells_its_names_and_people() {
        let learned = Learned::from_files(|path| {
            match path {
                "/etc/hostname" => "# set by hand\nweb7.corp.example\n",
                "/etc/hosts" => "127.0.0.1 localhost\n::1 ip6-localhost\n10.0.0.5 db1.corp.example db1 # main\n",
                "/etc/resolv.conf" => "nameserver 10.0.0.1\nsearch lab.example\n",
                "/etc/passwd" => "root:x:0:0::/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\nnobody:x:65534:1::/:/\n",
                _ => "",
            }
            .to_owned()
        });
        for host in ["web7.corp.example", "web7", "db1"] {
            assert!(learned.hosts.iter().any(|h| h == host), "{host}");
        }
        assert!(learned.domains.iter().any(|d| d == "lab.example"));
        assert_eq!(learned.users, ["anna"]);
    }
}
