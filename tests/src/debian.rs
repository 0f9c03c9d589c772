//! A Debian of its own in a folder, made from the mirror that this host's package manager uses. Needs root.

use crate::process;
use std::path::Path;

/// Runs an administrator's program, such as a package manager, to its end.
///
/// # Errors
/// All that it said, when it failed.
pub fn administer(program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = process::command(Path::new(program));
    command.args(arguments);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    for proxy in ["http_proxy", "https_proxy", "no_proxy"] {
        if let Some(value) = std::env::var_os(proxy) {
            command.env(proxy, value);
        }
    }
    process::said(&mut command)
}

/// Address and name of the release that this host installs from.
fn mirror() -> Result<(String, String), String> {
    let format = "$(REPO_URI) $(CODENAME)";
    let targets = administer("/usr/bin/apt-get", &["indextargets", "--format", format])?;
    let main = targets.lines().find_map(|line| {
        let (address, name) = line.split_once(' ')?;
        (!name.contains('-')).then(|| (address.to_owned(), name.to_owned()))
    });
    main.ok_or_else(|| "the package manager knows no release: apt-get update".to_owned())
}

/// Makes the smallest system, and `packages`, below `root`.
///
/// # Errors
/// What the installer said.
pub fn install(root: &Path, packages: &[&str]) -> Result<(), String> {
    let (address, release) = mirror()?;
    let place = root.display().to_string();
    let include = format!("--include={}", packages.join(","));
    let mut arguments = vec!["--variant=minbase"];
    if !packages.is_empty() {
        arguments.push(&include);
    }
    arguments.extend([release.as_str(), &place, &address]);
    administer("/usr/sbin/debootstrap", &arguments).map(drop)
}
