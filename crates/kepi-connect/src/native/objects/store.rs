//! A bucket: opened with what the source grants, listed, and its objects fetched.

use super::super::options::Options;
use super::super::{config_error, failed, transient};
use super::ID;
use super::place::Object;
use super::rows::Rows;
use futures::TryStreamExt;
use glob::{MatchOptions, Pattern};
use kepi_extension::{ConnectorError, ConnectorHost};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{ClientOptions, Error, ObjectStore, ObjectStoreExt, RetryConfig};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// How many objects are listed at most.
const OBJECTS_MAX: usize = 1_000_000;
/// How often a request is tried again, and how long in all.
const RETRIES: usize = 6;
const RETRY_TIME: Duration = Duration::from_secs(60);
/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A bucket that can be read.
pub(super) struct Bucket {
    runtime: Runtime,
    store: Arc<dyn ObjectStore>,
    /// What the names begin with.
    prefix: String,
    pattern: Option<Pattern>,
    shown: String,
}

/// An object on this machine.
pub(super) struct Fetched(tempfile::TempPath);

impl Fetched {
    /// Its rows behind the first `done`.
    pub(super) fn rows(self, options: &Options, name: &str, done: u64) -> Result<Rows, ConnectorError> {
        Rows::open(self.0, options, name, done)
    }
}

impl Bucket {
    /// Opens the bucket that the source names; nothing is asked of it yet.
    pub(super) fn open(options: &Options, host: &dyn ConnectorHost) -> Result<Bucket, ConnectorError> {
        let url = options.need("url", "s3://bucket/exports/")?;
        let wrong = || config_error(ID, format!("`url`: `{url}` is not like s3://bucket/exports/, gs://… or az://…"));
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if name.is_empty() {
            return Err(wrong());
        }
        let pattern = options.get("pattern").map(|text| {
            Pattern::new(text).map_err(|error| config_error(ID, format!("`pattern`: {text}: {}", error.msg)))
        });
        let anonymous = options.get("anonymous") == Some("yes");
        let secret = |name: &str| match anonymous {
            true => Ok(String::new()),
            false => host.secret(name).map_err(|reason| ConnectorError::Refused {
                connector: ID.to_string(),
                message: format!("{reason}; a public bucket is read with `anonymous = \"yes\"`"),
            }),
        };
        let endpoint = options.get("endpoint");
        // Only what the source writes as http:// goes out unencrypted.
        let client = ClientOptions::new()
            .with_allow_http(endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")))
            .with_timeout(TIMEOUT);
        let retry = RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_TIME, ..RetryConfig::default() };
        let store: Result<Arc<dyn ObjectStore>, Error> = match scheme {
            "s3" => {
                let mut s3 = AmazonS3Builder::new()
                    .with_bucket_name(name)
                    .with_region(options.get("region").unwrap_or("us-east-1"))
                    .with_skip_signature(anonymous)
                    .with_client_options(client)
                    .with_retry(retry);
                if let Some(endpoint) = endpoint {
                    s3 = s3.with_endpoint(endpoint.trim_end_matches('/'));
                }
                if !anonymous {
                    // Both are given, so that nothing is asked for them: no file, no service of the machine.
                    s3 = s3
                        .with_access_key_id(secret("AWS_ACCESS_KEY_ID")?)
                        .with_secret_access_key(secret("AWS_SECRET_ACCESS_KEY")?);
                    if let Ok(token) = host.secret("AWS_SESSION_TOKEN") {
                        s3 = s3.with_token(token);
                    }
                }
                s3.build().map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
            }
            "gs" => {
                let mut gcs = GoogleCloudStorageBuilder::new()
                    .with_bucket_name(name)
                    .with_skip_signature(anonymous)
                    .with_client_options(client)
                    .with_retry(retry);
                if let Some(endpoint) = endpoint {
                    gcs = gcs.with_base_url(endpoint.trim_end_matches('/'));
                }
                if !anonymous {
                    gcs = gcs.with_service_account_key(secret("GOOGLE_SERVICE_ACCOUNT_KEY")?);
                }
                gcs.build().map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
            }
            "az" => {
                let account = options.need("account", "mystorage")?;
                let mut azure = MicrosoftAzureBuilder::new()
                    .with_account(account)
                    .with_container_name(name)
                    .with_skip_signature(anonymous)
                    .with_client_options(client)
                    .with_retry(retry);
                if let Some(endpoint) = endpoint {
                    azure = azure.with_endpoint(endpoint.trim_end_matches('/').to_string());
                }
                if !anonymous {
                    azure = azure.with_access_key(secret("AZURE_STORAGE_ACCOUNT_KEY")?);
                }
                azure.build().map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
            }
            _ => return Err(wrong()),
        };
        let shown = format!("{scheme}://{name}");
        let store = store.map_err(|error| config_error(ID, format!("{shown}: {}", reason(&error))))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(ID, error.to_string()))?;
        Ok(Bucket { runtime, store, prefix: prefix.to_string(), pattern: pattern.transpose()?, shown })
    }

    /// The objects whose names begin and go on as they should, in no order.
    pub(super) fn list(&self) -> Result<Vec<Object>, ConnectorError> {
        // The service compares whole parts of names: the folder, then the rest here.
        let folder = self.prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = Some(Path::from(folder)).filter(|path| !path.as_ref().is_empty());
        let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
        let listing = self.store.list(folder.as_ref()).try_fold(Vec::new(), |mut objects, found| async move {
            let name = found.location.to_string();
            let rest = name.strip_prefix(self.prefix.as_str());
            let wanted = rest.is_some_and(|rest| match &self.pattern {
                Some(pattern) => pattern.matches_with(rest, options),
                None => true,
            });
            // A name that ends with `/` is a folder, as some programs write them.
            if wanted && found.size > 0 {
                let mark = found.e_tag.unwrap_or_else(|| found.size.to_string());
                objects.push(Object { name, at: found.last_modified.timestamp_micros(), mark });
            }
            if objects.len() > OBJECTS_MAX {
                let source =
                    format!("more than {OBJECTS_MAX} objects; a longer `url` or a `pattern` says which").into();
                return Err(Error::Generic { store: "kepi", source });
            }
            Ok(objects)
        });
        self.runtime.block_on(listing).map_err(|error| self.said(&error))
    }

    /// Fetches an object into a file whose name ends as the object's does, which tells what it holds.
    pub(super) fn fetch(&self, object: &Object) -> Result<Fetched, ConnectorError> {
        let end = object.name.rsplit('/').next().unwrap_or_default();
        let end = end.split_once('.').map_or(String::new(), |(_, end)| format!(".{end}"));
        let io = |error: std::io::Error| failed(ID, format!("{}: {error}", object.name));
        let mut file = tempfile::Builder::new().prefix("kepi-object-").suffix(&end).tempfile().map_err(io)?;
        let path = Path::parse(&object.name).map_err(|error| failed(ID, error.to_string()))?;
        let fetched = self.runtime.block_on(async {
            let mut parts = self.store.get(&path).await?.into_stream();
            while let Some(part) = parts.try_next().await? {
                if let Err(error) = file.write_all(&part) {
                    return Ok(Err(error));
                }
            }
            Ok::<_, Error>(file.flush())
        });
        fetched.map_err(|error| self.said(&error))?.map_err(io)?;
        Ok(Fetched(file.into_temp_path()))
    }

    /// What the service, or the way to it, says; by what the user can do.
    fn said(&self, error: &Error) -> ConnectorError {
        let message = format!("{}: {}", self.shown, reason(error));
        match error {
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                ConnectorError::Refused { connector: ID.to_string(), message }
            }
            Error::NotFound { .. } | Error::NotSupported { .. } | Error::InvalidPath { .. } => {
                config_error(ID, message)
            }
            Error::Generic { store: "kepi", .. } => config_error(ID, message),
            // A listing that is refused has no kind of its own.
            _ if ["status code: 401", "status code: 403"].iter().any(|status| message.contains(status)) => {
                ConnectorError::Refused { connector: ID.to_string(), message }
            }
            _ => transient(ID, message, None),
        }
    }
}

/// The innermost reasons of an error, which name what happened.
fn reason(error: &Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut inner = std::error::Error::source(error);
    while let Some(error) = inner {
        let text = error.to_string();
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
        inner = error.source();
    }
    texts.join(": ")
}
