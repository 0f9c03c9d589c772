//! How an object store is reached: Amazon's interface, which many stores speak, Google's or Microsoft's.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::multipart::MultipartStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::PATIENCE;
use crate::config::Secret;

/// Time in which a request is repeated.
const RETRY: Duration = Duration::from_secs(10);

/// Whose interface a store speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// Amazon S3.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
}

/// How an object store is reached.
#[derive(Debug, Clone)]
pub struct Access {
    /// Its interface.
    pub speaks: Speaks,
    /// URL of the store; none for the provider's own. Azure's has the account at its end.
    pub endpoint: Option<String>,
    /// The bucket, which Azure calls container.
    pub bucket: String,
    /// Its region, for S3.
    pub region: String,
    /// What all keys begin with, without a slash at its end; may be empty.
    pub prefix: String,
    /// Key id (S3) or account (Azure); Google's key has it inside.
    pub id: Option<String>,
    /// Secret of the key, the account's key, or Google's JSON of a service account; none to use what the machine is
    /// given.
    pub secret: Option<Secret>,
}

/// What is asked of a store: objects, and parts of objects that any process may go on with.
pub(super) trait Remote: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Remote for T {}

impl Access {
    pub(super) fn connect(&self) -> object_store::Result<Arc<dyn Remote>> {
        match self.speaks {
            Speaks::S3 => self.s3(),
            Speaks::Gcs => self.gcs(),
            Speaks::Azure => self.azure(),
        }
    }

    fn s3(&self) -> object_store::Result<Arc<dyn Remote>> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_disable_bulk_delete(true)
            .with_client_options(self.client())
            .with_retry(retry());
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let (Some(id), Some(secret)) = (&self.id, &self.secret) {
            builder = builder
                .with_access_key_id(id)
                .with_secret_access_key(secret.reveal());
        }
        Ok(Arc::new(builder.build()?))
    }

    fn gcs(&self) -> object_store::Result<Arc<dyn Remote>> {
        let mut builder = GoogleCloudStorageBuilder::new()
            .with_bucket_name(&self.bucket)
            .with_client_options(self.client())
            .with_retry(retry());
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_base_url(endpoint);
        }
        if let Some(secret) = &self.secret {
            builder = builder.with_service_account_key(secret.reveal());
        }
        Ok(Arc::new(builder.build()?))
    }

    fn azure(&self) -> object_store::Result<Arc<dyn Remote>> {
        let mut builder = MicrosoftAzureBuilder::new()
            .with_container_name(&self.bucket)
            .with_client_options(self.client())
            .with_retry(retry());
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.clone());
        }
        if let Some(account) = &self.id {
            builder = builder.with_account(account);
        }
        if let Some(secret) = &self.secret {
            builder = builder.with_access_key(secret.reveal());
        }
        Ok(Arc::new(builder.build()?))
    }

    fn client(&self) -> ClientOptions {
        let plain = self.endpoint.as_deref().unwrap_or_default();
        ClientOptions::new()
            .with_allow_http(plain.starts_with("http://"))
            .with_connect_timeout(Duration::from_secs(5))
            .with_timeout(PATIENCE)
    }
}

fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(3),
            base: 2.0,
        },
        max_retries: 8,
        retry_timeout: RETRY,
    }
}
