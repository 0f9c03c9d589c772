//! Asks the linker to keep one copy of functions with the same machine code, which generic code
//! makes many of: a fifth of the release binary. Only where the toolchain's own linker is known
//! to be one that can.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let set = |name: &str| option(name).unwrap_or_default();
    let folds = set("CARGO_CFG_TARGET_OS") == "linux"
        && set("CARGO_CFG_TARGET_ENV") == "gnu"
        && set("CARGO_CFG_TARGET_ARCH") == "x86_64";
    // Development builds are linked often, and shipped never.
    if folds && set("PROFILE") == "release" {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a build script is configured by cargo's environment"
)]
fn option(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
