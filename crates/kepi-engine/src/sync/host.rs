//! What a running connector may ask of kepi: its folder, the network, its secrets, the instant of the run, the log.

use kepi_connect::HttpService;
use kepi_extension::{ConnectorHost, HttpError, HttpRequest, HttpResponse};
use kepi_plugin::FolderHost;
use std::path::PathBuf;

/// The host of one run.
#[derive(Debug)]
pub(super) struct SyncHost {
    pub(super) plugin: String,
    pub(super) folder: Option<FolderHost>,
    /// The project's folder, for connectors that are compiled in.
    pub(super) project: Option<PathBuf>,
    pub(super) service: HttpService,
    pub(super) now: i64,
    /// Whether the connector may see secrets themselves.
    pub(super) sees_secrets: bool,
}

impl SyncHost {
    fn folder(&self) -> Result<&FolderHost, String> {
        self.folder.as_ref().ok_or_else(|| "no folder was granted".to_string())
    }
}

impl ConnectorHost for SyncHost {
    fn read_file(&self, path: &str) -> Result<String, String> {
        self.folder()?.read_file(path)
    }

    fn list_files(&self, pattern: &str) -> Result<Vec<String>, String> {
        self.folder()?.list_files(pattern)
    }

    fn fetch(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        self.service.fetch(request)
    }

    fn secret(&self, name: &str) -> Result<String, String> {
        match self.sees_secrets {
            true => self.service.secret(name),
            false => {
                Err("kepi-plugin.toml does not ask to see secrets: [capabilities] sees_secrets = true".to_string())
            }
        }
    }

    fn path(&self, path: &str) -> Result<PathBuf, String> {
        match &self.project {
            Some(project) => Ok(project.join(path)),
            None => Err("only connectors that are compiled in open files themselves".to_string()),
        }
    }

    fn now(&self) -> i64 {
        self.now
    }

    fn log(&self, message: &str) {
        tracing::info!(plugin = self.plugin.as_str(), "{}", self.service.scrub(message));
    }
}
