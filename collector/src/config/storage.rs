//! Where bundles lie, from the settings under `storage.`.

use super::{ConfigError, Resolved, Secret};
use crate::bundles::storage::{Access, Speaks};

impl Resolved {
    /// How the object store is reached; none when bundles lie in the folder.
    ///
    /// # Errors
    /// When the bucket or a part of the key is missing, or the file of the secret cannot be read.
    pub fn object_store(&self) -> Result<Option<Access>, ConfigError> {
        let speaks = match self.text("storage.kind") {
            "s3" => Speaks::S3,
            "gcs" => Speaks::Gcs,
            "azure" => Speaks::Azure,
            _ => return Ok(None),
        };
        let secret = match self.path("storage.secret_access_key_file") {
            Some(path) => {
                let text = std::fs::read_to_string(&path);
                let text = text.map_err(|source| ConfigError::ReadFile { path, source })?;
                Some(Secret::new(text.trim()))
            }
            None => self.optional("storage.secret_access_key").map(Secret::new),
        };
        let id = self.optional("storage.access_key_id").map(str::to_owned);
        let bucket = self.text("storage.bucket").to_owned();
        let whole = match speaks {
            Speaks::S3 => id.is_some() == secret.is_some(),
            Speaks::Gcs => id.is_none(),
            Speaks::Azure => id.is_some(),
        };
        if bucket.is_empty() || !whole {
            return Err(ConfigError::Storage);
        }
        Ok(Some(Access {
            speaks,
            endpoint: self.optional("storage.endpoint").map(str::to_owned),
            bucket,
            region: self.text("storage.region").to_owned(),
            prefix: self.text("storage.prefix").trim_matches('/').to_owned(),
            id,
            secret,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    fn access(flags: &[(&str, &str)]) -> Result<Option<Access>, ConfigError> {
        let flags = flags.iter().map(|(key, value)| {
            (
                format!("--set {key}"),
                (*key).to_owned(),
                (*value).to_owned(),
            )
        });
        let sources = Sources {
            file: None,
            environment: Vec::new(),
            flags: flags.collect(),
        };
        load(&sources).unwrap().object_store()
    }

    #[test]
    fn a_bucket_needs_a_name_and_a_whole_key_or_none() {
        assert!(access(&[]).unwrap().is_none());
        let s3 = ("storage.kind", "s3");
        let (bucket, id) = (("storage.bucket", "b"), ("storage.access_key_id", "i"));
        assert!(matches!(access(&[s3]), Err(ConfigError::Storage)));
        assert!(matches!(
            access(&[s3, bucket, id]),
            Err(ConfigError::Storage)
        ));
        assert!(access(&[s3, bucket]).unwrap().unwrap().secret.is_none());
        let secret = ("storage.secret_access_key", "s");
        let whole = access(&[s3, bucket, id, secret, ("storage.prefix", "/a/")])
            .unwrap()
            .unwrap();
        assert_eq!((whole.prefix.as_str(), whole.speaks), ("a", Speaks::S3));
        let (gcs, azure) = (("storage.kind", "gcs"), ("storage.kind", "azure"));
        for (kind, speaks, right, wrong) in [
            (gcs, Speaks::Gcs, vec![secret], vec![id, secret]),
            (azure, Speaks::Azure, vec![id, secret], vec![secret]),
        ] {
            let found = access(&[&[kind, bucket], &right[..]].concat());
            assert_eq!(found.unwrap().unwrap().speaks, speaks);
            let found = access(&[&[kind, bucket], &wrong[..]].concat());
            assert!(matches!(found, Err(ConfigError::Storage)));
        }
        assert!(
            !format!("{whole:?}").contains("\"s\""),
            "secrets are not shown"
        );
    }
}
