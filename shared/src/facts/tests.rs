//! The schema is that of the types; the facts of a text are what a person reads in it.

use super::*;

#[test]
fn the_schema_is_made_from_the_types() {
    let mut schema = serde_json::to_value(schemars::schema_for!(Facts)).expect("a schema");
    schema["title"] = "Sitrep facts, version 1".into();
    schema["properties"]["schema"] = serde_json::json!({"const": SCHEMA});
    schema["required"] = serde_json::json!(["schema"]);
    let text = serde_json::to_string_pretty(&schema).expect("text") + "\n";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/facts/schema.json");
    #[expect(clippy::disallowed_methods, reason = "a switch of this test only")]
    if std::env::var("SITREP_UPDATE").is_ok() {
        std::fs::write(&path, &text).expect("written");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == text,
        "run this test with SITREP_UPDATE=1 and look at the difference"
    );
}

fn facts(texts: &[(&str, &str)]) -> Facts {
    let mut reader = Reader::new(1_795_528_862_000);
    for (path, text) in texts {
        reader.add(path, text.as_bytes());
    }
    reader.finish()
}

#[test]
fn sockets_devices_and_mounts() {
    let netstat = "Active Internet connections (servers and established)\n\
        Proto Recv-Q Send-Q Local Address Foreign Address State User Inode PID/Program name Timer\n\
        tcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN 0 12 567/sshd off (0.00/0/0)\n\
        tcp6 0 0 ::1:8080 :::* LISTEN 0 13 - off (0.00/0/0)\n\
        tcp 0 0 10.0.0.1:22 10.0.0.2:5 ESTABLISHED 0 14 568/sshd keepalive (1.00/0/0)\n\
        udp 0 0 127.0.0.53:53 0.0.0.0:* 101 15 600/resolved off (0.00/0/0)\n";
    let lsblk = "NAME=\"sda\" KNAME=\"sda\" SIZE=\"1.5G\" RO=\"0\" ROTA=\"1\" TYPE=\"disk\" PKNAME=\"\" MODEL=\"QEMU\"\n\
        NAME=\"sda1\" KNAME=\"sda1\" FSTYPE=\"ext4\" MOUNTPOINT=\"/\" SIZE=\"1G\" RO=\"0\" TYPE=\"part\" PKNAME=\"sda\"\n";
    let found = facts(&[
        ("sos/sos_commands/networking/netstat_-W_-neopa", netstat),
        (
            "sos/proc/net/sockstat",
            "sockets: used 120\nTCP: inuse 3 orphan 1 tw 2 alloc 4 mem 5\n",
        ),
        ("sos/sos_commands/block/lsblk_-O_-P", lsblk),
        ("sos/proc/mounts", "/dev/sda1 / ext4 ro,relatime 0 0\n"),
    ]);
    let sockets = found.sockets.expect("sockets");
    let listening: Vec<(&str, u64, &str)> = sockets
        .listening
        .iter()
        .map(|l| (l.address.as_str(), l.port, l.program.as_str()))
        .collect();
    assert_eq!(
        listening,
        [
            ("0.0.0.0", 22, "sshd"),
            ("::1", 8080, ""),
            ("127.0.0.53", 53, "resolved")
        ]
    );
    assert_eq!(
        (sockets.used, sockets.tcp_memory_bytes),
        (Some(120), Some(20480))
    );
    assert_eq!(found.network.expect("network").tcp["established"], 1);
    assert_eq!(found.devices[0].size_bytes, 3 << 29);
    assert_eq!(found.devices[0].rotational, Some(true));
    assert_eq!(
        (
            found.devices[1].mount.as_str(),
            found.devices[1].parent.as_str()
        ),
        ("/", "sda")
    );
    assert_eq!(found.mounts[0].options, ["ro", "relatime"]);
    assert_eq!(
        found.items["devices"],
        ["sos/sos_commands/block/lsblk_-O_-P"]
    );
}
