//! Garage, a distributed S3 store, on loopback: one node, or three that each hold everything. The program is built
//! once into a cache folder by `tests/run`.

use crate::postgres::free_port;
use crate::process::{self, Running, output, wait_for};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The bucket that every store here has.
const BUCKET: &str = "bundles";
/// How long a node may take to come up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Running nodes.
pub struct Garage {
    nodes: Vec<Node>,
    key_id: String,
    secret: String,
}

struct Node {
    process: Option<Running>,
    dir: PathBuf,
    s3: u16,
}

fn program() -> Result<PathBuf, String> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let program = cache
        .unwrap_or_default()
        .join("sitrep-tests/garage-2.5.0/bin/garage");
    if program.exists() {
        Ok(program)
    } else {
        Err(format!(
            "{} is missing: tests/run builds it",
            program.display()
        ))
    }
}

/// Hex digits nobody else uses at this time.
fn hex(digits: usize) -> Result<String, String> {
    use std::io::Read;
    let mut bytes = vec![0u8; digits / 2];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(|error| error.to_string())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Garage {
    /// Starts `count` nodes, one or three, with a bucket and a key.
    ///
    /// # Errors
    /// When the program is missing or does not come up.
    pub fn start(dir: &Path, count: usize) -> Result<Self, String> {
        let rpc_secret = hex(64)?;
        let mut garage = Self {
            nodes: Vec::new(),
            key_id: format!("GK{}", hex(24)?),
            secret: hex(64)?,
        };
        for n in 0..count {
            let (dir, s3, rpc) = (dir.join(n.to_string()), free_port()?, free_port()?);
            std::fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
            let place = dir.display();
            let config = format!(
                "metadata_dir = \"{place}/meta\"\ndata_dir = \"{place}/data\"\ndb_engine = \"sqlite\"\n\
                 replication_factor = {count}\nrpc_bind_addr = \"127.0.0.1:{rpc}\"\n\
                 rpc_public_addr = \"127.0.0.1:{rpc}\"\nrpc_secret = \"{rpc_secret}\"\n\
                 [s3_api]\ns3_region = \"garage\"\napi_bind_addr = \"127.0.0.1:{s3}\"\n"
            );
            std::fs::write(dir.join("garage.toml"), config).map_err(|error| error.to_string())?;
            garage.nodes.push(Node {
                process: None,
                dir,
                s3,
            });
        }
        for n in 0..count {
            garage.run(n)?;
        }
        if count > 1 {
            garage.join()?;
        }
        wait_for("the bucket", PATIENCE, || {
            garage.tell(0, &["bucket", "info", BUCKET]).is_ok()
        })?;
        Ok(garage)
    }

    fn run(&mut self, n: usize) -> Result<(), String> {
        let alone = self.nodes.len() == 1;
        let (key_id, secret) = (self.key_id.clone(), self.secret.clone());
        let node = &mut self.nodes[n];
        let log = std::fs::File::create(node.dir.join("log")).map_err(|error| error.to_string())?;
        let mut command = process::command(&program()?);
        command
            .arg("-c")
            .arg(node.dir.join("garage.toml"))
            .arg("server");
        if alone {
            command
                .args(["--single-node", "--default-bucket"])
                .env("GARAGE_DEFAULT_ACCESS_KEY", key_id)
                .env("GARAGE_DEFAULT_SECRET_KEY", secret)
                .env("GARAGE_DEFAULT_BUCKET", BUCKET);
        }
        command
            .env("RUST_LOG", "garage=info")
            .stdout(Stdio::null())
            .stderr(log);
        node.process = Some(Running::start(&mut command)?);
        let s3 = node.s3;
        wait_for("a node of Garage", PATIENCE, || {
            std::net::TcpStream::connect(("127.0.0.1", s3)).is_ok()
        })
        .map_err(|error| {
            let log = std::fs::read_to_string(self.nodes[n].dir.join("log"));
            format!("{error}\n{}", log.unwrap_or_default())
        })
    }

    fn command(&self, n: usize) -> Result<Command, String> {
        let mut command = process::command(&program()?);
        command.arg("-c").arg(self.nodes[n].dir.join("garage.toml"));
        Ok(command)
    }

    /// Tells a node something by its command line.
    fn tell(&self, n: usize, arguments: &[&str]) -> Result<String, String> {
        let told = output(self.command(n)?.args(arguments))?;
        if told.status.success() {
            Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&told.stderr).into_owned())
        }
    }

    /// Makes the nodes one cluster with a bucket.
    fn join(&self) -> Result<(), String> {
        let ids: Result<Vec<String>, String> = (0..self.nodes.len())
            .map(|n| self.tell(n, &["node", "id", "-q"]))
            .collect();
        let ids = ids?;
        for n in 0..self.nodes.len() {
            self.introduce(n, &ids);
        }
        for (n, id) in ids.iter().enumerate() {
            let id = id.split('@').next().unwrap_or_default();
            let zone = format!("z{n}");
            wait_for("a node's place in the layout", PATIENCE, || {
                self.tell(0, &["layout", "assign", "-z", &zone, "-c", "1GB", id])
                    .is_ok()
            })?;
        }
        self.tell(0, &["layout", "apply", "--version", "1"])?;
        wait_for("the key", PATIENCE, || {
            let key = [
                "key",
                "import",
                "--yes",
                "-n",
                "tests",
                &self.key_id,
                &self.secret,
            ];
            self.tell(0, &key).is_ok()
        })?;
        self.tell(0, &["bucket", "create", BUCKET])?;
        let rights = ["bucket", "allow", "--read", "--write", "--owner", BUCKET];
        let mut rights = rights.to_vec();
        rights.extend(["--key", &self.key_id]);
        self.tell(0, &rights).map(drop)
    }

    /// Left alone, nodes look for each other only after a growing pause.
    fn introduce(&self, n: usize, ids: &[String]) {
        for (other, id) in ids.iter().enumerate() {
            if other != n {
                drop(self.tell(n, &["node", "connect", id]));
            }
        }
    }

    /// Ends a node as a power cut would.
    pub fn kill(&mut self, n: usize) {
        self.nodes[n].process = None;
    }

    /// Starts a killed node again.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn revive(&mut self, n: usize) -> Result<(), String> {
        self.run(n)
    }

    /// The port of a node's S3 interface.
    #[must_use]
    pub fn port(&self, n: usize) -> u16 {
        self.nodes[n].s3
    }

    /// What a collector must be told to use a port of this store, under a prefix.
    #[must_use]
    pub fn settings(&self, port: u16, prefix: &str) -> Vec<(String, String)> {
        [
            ("KIND", "s3"),
            ("ENDPOINT", &format!("http://127.0.0.1:{port}")),
            ("BUCKET", BUCKET),
            ("REGION", "garage"),
            ("PREFIX", prefix),
            ("ACCESS_KEY_ID", &self.key_id),
            ("SECRET_ACCESS_KEY", &self.secret),
        ]
        .map(|(name, value)| (format!("SITREPD_STORAGE_{name}"), value.to_owned()))
        .to_vec()
    }

    /// What takes requests as Google's clients make them, before the first node, and what a collector must be told.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn as_google(&self, prefix: &str) -> Result<(Running, Vec<(String, String)>), String> {
        let port = free_port()?;
        let mut command = process::command(Path::new("python3"));
        command
            .arg(crate::workspace_root().join("tests/fixtures/peers/google_front.py"))
            .args([port.to_string(), self.port(0).to_string()])
            .args(["garage", &self.key_id, &self.secret]);
        let front = Running::start(command.stdout(Stdio::null()))?;
        wait_for("the front", PATIENCE, || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?;
        // A key that signs nothing, as Google's own tests have it.
        let key = serde_json::json!({
            "private_key": "none", "private_key_id": "none", "client_email": "none", "disable_oauth": true,
        });
        let settings = [
            ("KIND", "gcs"),
            ("ENDPOINT", &format!("http://127.0.0.1:{port}")),
            ("BUCKET", BUCKET),
            ("PREFIX", prefix),
            ("SECRET_ACCESS_KEY", &key.to_string()),
        ]
        .map(|(name, value)| (format!("SITREPD_STORAGE_{name}"), value.to_owned()))
        .to_vec();
        Ok((front, settings))
    }

    /// Objects in the bucket.
    ///
    /// # Errors
    /// With what the store says.
    pub fn objects(&self) -> Result<u64, String> {
        let told = self.tell(0, &["bucket", "info", BUCKET])?;
        let line = told
            .lines()
            .find_map(|line| line.trim().strip_prefix("Objects:"));
        let count = line.and_then(|count| count.trim().parse().ok());
        count.ok_or_else(|| format!("no count of objects: {told}"))
    }
}
