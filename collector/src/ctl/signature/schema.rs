//! `signature schema`: the JSON Schema of signature files.

use std::io::{self, Write};

use sitrep_shared::signature::schema;

use super::{Fault, Outcome};

pub(super) fn run(out: &mut dyn Write) -> Result<Outcome, Fault> {
    serde_json::to_writer_pretty(&mut *out, &schema()).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(Outcome::Done)
}
