//! What stands between a customer and the collector in the field: proxies and TLS fronts, the real
//! programs of Debian on free loopback ports, as an ordinary user where they refuse root.

use crate::process::{self, Running, wait_for};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// How long a server may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that ends with the test.
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its folder with configuration and logs.
    pub dir: PathBuf,
    _process: Running,
}

impl Peer {
    /// What it wrote to a file of its folder so far.
    #[must_use]
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }
}

/// A loopback port that was free a moment ago.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| error.to_string())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn up(mut command: std::process::Command, dir: &Path, port: u16) -> Result<Peer, String> {
    let log = std::fs::File::create(dir.join("stderr")).map_err(|error| error.to_string())?;
    let mut process = Running::start(command.stdout(Stdio::null()).stderr(log))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let came = wait_for("the server to listen", PATIENCE, || {
        TcpStream::connect(address).is_ok() || process.wait(Duration::ZERO).is_ok()
    });
    if came.is_err() || TcpStream::connect(address).is_err() {
        let mut said = String::new();
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.path().is_file() {
                let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
                said.push_str(&format!("--- {}\n{text}\n", entry.path().display()));
            }
        }
        return Err(format!("it does not listen at {address}\n{said}"));
    }
    Ok(Peer {
        address,
        dir: dir.to_path_buf(),
        _process: process,
    })
}

/// `program`, as an ordinary user when this is root, with `dir` in its hands.
fn ordinary(program: &str, user: &str, dir: &Path) -> Result<std::process::Command, String> {
    if !is_root() {
        return Ok(process::command(Path::new(program)));
    }
    let mut own = process::command(Path::new("chown"));
    own.args(["-R", user]).arg(dir);
    process::output(&mut own)?;
    let mut command = process::command(Path::new("setpriv"));
    command.args(["--reuid", user, "--regid", user, "--clear-groups", program]);
    Ok(command)
}

/// Whether this test runs as root.
#[must_use]
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

fn folder(dir: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(dir).map_err(|error| error.to_string())?;
    // Another user must be able to get there.
    for above in dir.ancestors().take(2) {
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(above, open).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// tinyproxy that lets CONNECT through to `port` only, for whom knows `password` when there is one.
/// `wrap` starts it in other surroundings.
///
/// # Errors
/// With what it said, when it does not come up.
pub fn tinyproxy(
    dir: &Path,
    allowed: u16,
    password: Option<(&str, &str)>,
    wrap: &dyn Fn(std::process::Command) -> std::process::Command,
) -> Result<Peer, String> {
    folder(dir)?;
    let port = free_port()?;
    let auth = password.map_or(String::new(), |(user, password)| {
        format!("BasicAuth {user} {password}\n")
    });
    let text = format!(
        "Port {port}\nListen 127.0.0.1\nTimeout 600\nAllow 127.0.0.1\n{auth}ConnectPort {allowed}\n\
         LogLevel Connect\nLogFile \"{log}\"\nPidFile \"{pid}\"\n",
        log = dir.join("log").display(),
        pid = dir.join("pid").display(),
    );
    let file = dir.join("tinyproxy.conf");
    write(&file, &text)?;
    let mut command = process::command(Path::new("tinyproxy"));
    command.arg("-d").arg("-c").arg(&file);
    up(wrap(command), dir, port)
}

/// squid that opens every TLS connection with certificates of `authority`.
///
/// # Errors
/// With what it said, when it does not come up.
pub fn squid(dir: &Path, authority: &Authority) -> Result<Peer, String> {
    folder(dir)?;
    let port = free_port()?;
    let helper = "/usr/lib/squid/security_file_certgen";
    let ca = dir.join("ca.pem");
    write(
        &ca,
        &format!("{}{}", authority.key.serialize_pem(), authority.pem),
    )?;
    let text = format!(
        "http_port 127.0.0.1:{port} ssl-bump cert={ca} generate-host-certificates=on dynamic_cert_mem_cache_size=4MB\n\
         sslcrtd_program {helper} -s {dir}/ssl_db -M 4MB\nsslcrtd_children 1\nssl_bump bump all\n\
         http_access allow all\ncache deny all\ntls_outgoing_options flags=DONT_VERIFY_PEER\n\
         pid_filename {dir}/pid\naccess_log stdio:{dir}/access\ncache_log {dir}/cache\n\
         shutdown_lifetime 0 seconds\nmax_filedescriptors 1024\nworkers 1\nvisible_hostname proxy.test\n\
         coredump_dir {dir}\n",
        ca = ca.display(),
        dir = dir.display(),
    );
    let file = dir.join("squid.conf");
    write(&file, &text)?;
    let mut make = ordinary(helper, "proxy", dir)?;
    make.args(["-c", "-s"])
        .arg(dir.join("ssl_db"))
        .args(["-M", "4MB"]);
    let made = process::output(&mut make)?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned());
    }
    let mut command = ordinary("/usr/sbin/squid", "proxy", dir)?;
    command.args(["-N", "-f"]).arg(&file);
    up(command, dir, port)
}

/// nginx before a plain collector, with this certificate; it wants one of `clients` when that is given.
///
/// # Errors
/// With what it said, when it does not come up.
pub fn nginx(
    dir: &Path,
    behind: SocketAddr,
    certificate: &Certified,
    clients: Option<&Authority>,
) -> Result<Peer, String> {
    folder(dir)?;
    let port = free_port()?;
    let (cert, key, ca) = (
        dir.join("cert.pem"),
        dir.join("key.pem"),
        dir.join("clients.pem"),
    );
    write(&cert, &certificate.pem)?;
    write(&key, &certificate.key)?;
    let wanted = match clients {
        Some(authority) => {
            write(&ca, &authority.pem)?;
            format!(
                "ssl_client_certificate {}; ssl_verify_client on;",
                ca.display()
            )
        }
        None => String::new(),
    };
    let user = if is_root() { "user root;" } else { "" };
    let at = dir.display();
    let text = format!(
        "{user} worker_processes 1; daemon off; master_process off; pid {at}/pid; error_log {at}/error;\n\
         events {{ worker_connections 64; }}\n\
         http {{ access_log {at}/access; client_max_body_size 0; proxy_request_buffering off;\n\
         client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;\n\
         uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
         server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {cert}; ssl_certificate_key {key}; {wanted}\n\
         location / {{ proxy_pass http://{behind}; proxy_http_version 1.1; proxy_set_header Host $http_host; }} }} }}\n",
        cert = cert.display(),
        key = key.display(),
    );
    let file = dir.join("nginx.conf");
    write(&file, &text)?;
    let mut command = process::command(Path::new("/usr/sbin/nginx"));
    command
        .arg("-e")
        .arg(dir.join("start"))
        .arg("-c")
        .arg(&file);
    up(command, dir, port)
}

/// A certificate authority of a company.
pub struct Authority {
    /// Its certificate.
    pub pem: String,
    key: KeyPair,
    params: CertificateParams,
}

/// A certificate with its key.
pub struct Certified {
    /// The certificate.
    pub pem: String,
    /// Its key.
    pub key: String,
}

impl Authority {
    /// Makes one of this name.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(name: &str) -> Result<Self, String> {
        let fault = |error: rcgen::Error| error.to_string();
        let key = KeyPair::generate().map_err(fault)?;
        let mut params = CertificateParams::new(Vec::new()).map_err(fault)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let pem = params.self_signed(&key).map_err(fault)?.pem();
        Ok(Self { pem, key, params })
    }

    /// A certificate for `name`, valid for these years.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn certify(&self, name: &str, years: (i32, i32)) -> Result<Certified, String> {
        let fault = |error: rcgen::Error| error.to_string();
        let key = KeyPair::generate().map_err(fault)?;
        let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(fault)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let issuer = Issuer::from_params(&self.params, &self.key);
        let pem = params.signed_by(&key, &issuer).map_err(fault)?.pem();
        Ok(Certified {
            pem,
            key: key.serialize_pem(),
        })
    }
}
