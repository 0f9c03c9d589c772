//! Hardware: what is built in, and what it reports of itself.

use super::declare;
use crate::collect::{self, Miss, Params, PlannedItem, Planner, Source, source::Native};
use std::io::Write as _;

declare!(
    Hardware,
    "hardware",
    "Hardware",
    "What is built in, and does it report faults?",
    ["usual", "hardware"]
);

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;

fn plan(p: &mut Planner<'_>) {
    let dmi =
        (!p.host.exists("/sys/firmware/dmi/tables/DMI")).then_some("no DMI table on this host");
    p.command_if("hardware", "dmidecode", dmi)
        .row(122)
        .limit(512 * K)
        .root()
        .link("dmidecode");
    p.native("hardware", "dmi", dmi_values).row(122);
    let pci = (p.host.names("/sys/bus/pci/devices").is_empty()).then_some("no PCI device");
    p.command_if("pci", "lspci -nnvv", pci)
        .row(123)
        .limit(M)
        .link("lspci");
    p.native("pci", "devices", pci_devices).row(123);
    p.native("usb", "devices", usb_devices).row(124);
    p.files(&["/proc/bus/input/devices", "/proc/asound/cards"], 64 * K)
        .row(124);
    p.native("hardware", "sensors and power", sensors).row(125);
    let ipmi = (!p.host.exists("/dev/ipmi0")).then_some("no management controller");
    if p.params.opted_in("slow") {
        p.command_if("ipmitool", "ipmitool sel elist", ipmi)
            .row(125)
            .seconds(30)
            .limit(256 * K)
            .root();
    }
    let nvidia = (!p.host.exists("/proc/driver/nvidia")).then_some("no NVIDIA driver is loaded");
    p.command_if("nvidia", "nvidia-smi -q", nvidia)
        .row(126)
        .seconds(20);
    let amd = (!p.host.exists("/sys/module/amdgpu")).then_some("no AMD GPU driver is loaded");
    p.command_if("amd", "rocm-smi", amd).row(126).seconds(20);
}

/// The names that the firmware gives; serial numbers are left out.
fn dmi_values(n: &mut Native<'_>) -> Result<(), Miss> {
    for name in n.host.names("/sys/class/dmi/id") {
        if name.contains("serial")
            || name.contains("uuid")
            || name == "uevent"
            || name == "modalias"
        {
            continue;
        }
        if let Some(value) = n.host.value(&format!("/sys/class/dmi/id/{name}")) {
            writeln!(n.out, "{name}: {value}")?;
        }
    }
    if n.out.is_empty() {
        Err(Miss::absent("no DMI on this host"))
    } else {
        Ok(())
    }
}

fn pci_devices(n: &mut Native<'_>) -> Result<(), Miss> {
    let base = "/sys/bus/pci/devices";
    for slot in n.host.names(base) {
        let get = |name: &str| {
            n.host
                .value(&format!("{base}/{slot}/{name}"))
                .unwrap_or_default()
        };
        let driver = n
            .host
            .read_link(&format!("{base}/{slot}/driver"))
            .unwrap_or_default();
        let driver = driver.rsplit('/').next().unwrap_or("").to_owned();
        let (class, vendor, device) = (get("class"), get("vendor"), get("device"));
        writeln!(
            n.out,
            "{slot} class {class} id {vendor}:{device} driver {driver} numa {}",
            get("numa_node")
        )?;
    }
    if n.out.is_empty() {
        Err(Miss::absent("no PCI device"))
    } else {
        Ok(())
    }
}

fn usb_devices(n: &mut Native<'_>) -> Result<(), Miss> {
    let base = "/sys/bus/usb/devices";
    for name in n.host.names(base) {
        let get = |file: &str| {
            n.host
                .value(&format!("{base}/{name}/{file}"))
                .unwrap_or_default()
        };
        if !get("idVendor").is_empty() {
            let (vendor, product) = (get("idVendor"), get("idProduct"));
            writeln!(
                n.out,
                "{name} {vendor}:{product} {} {}",
                get("manufacturer"),
                get("product")
            )?;
        }
    }
    if n.out.is_empty() {
        Err(Miss::absent("no USB device"))
    } else {
        Ok(())
    }
}

fn sensors(n: &mut Native<'_>) -> Result<(), Miss> {
    let groups = [
        (
            "/sys/class/thermal",
            &["type", "temp", "cur_state", "max_state"][..],
        ),
        (
            "/sys/class/power_supply",
            &["type", "status", "capacity", "online", "health"][..],
        ),
        (
            "/sys/class/hwmon",
            &[
                "name",
                "temp1_input",
                "temp1_label",
                "temp2_input",
                "fan1_input",
                "in0_input",
                "power1_input",
            ][..],
        ),
    ];
    for (base, files) in groups {
        for device in n.host.names(base) {
            let values: Vec<String> = files
                .iter()
                .filter_map(|f| {
                    Some(format!(
                        "{f}={}",
                        n.host.value(&format!("{base}/{device}/{f}"))?
                    ))
                })
                .collect();
            if !values.is_empty() {
                writeln!(n.out, "{base}/{device} {}", values.join(" "))?;
            }
        }
    }
    if n.out.is_empty() {
        Err(Miss::absent("no sensor on this host"))
    } else {
        Ok(())
    }
}
