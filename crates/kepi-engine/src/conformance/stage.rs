//! The host of a connector that is checked: the services of kepi over an imitated network, and a watch on all that the
//! connector asks for.

use super::records::World;
use kepi_connect::{Grants, HttpService, HttpSettings, OAuth, Pace, Secrets};
use kepi_extension::{Connector, ConnectorHost, HttpError, HttpRequest, HttpResponse};
use kepi_plugin::{FolderHost, Found, ImitatedService};
use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The instant of the first run: 2030-01-01, behind all records of fixtures.
pub(super) const NOW: i64 = 1_893_456_000_000_000;
/// Where the imitated service sends a connector that it wants to lead astray: the address at which clouds tell machines
/// their own credentials.
pub(super) const ASTRAY: &str = "http://169.254.169.254/latest/meta-data/";

/// What goes wrong with the service's answers; numbers are those of the request, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing.
    None,
    /// This status once, with a wait of so many seconds.
    Status(usize, u16, u64),
    /// No answer, as often as a request is tried.
    Silent(usize),
    /// Half of the answer.
    Cut(usize),
    /// The answer before once more.
    Repeated(usize),
    /// The credentials are not accepted at all.
    Refused,
    /// The first answer is a redirect to [`ASTRAY`].
    Astray,
}

/// What the connector did, over all runs.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Requests that the host refused: the address, and why.
    pub(super) denied: Vec<(String, String)>,
    /// Addresses that it asked for after it was sent astray.
    pub(super) astray: Vec<String>,
    /// What it wrote to the log.
    pub(super) log: Vec<String>,
    /// Requests that went out.
    pub(super) sent: usize,
}

/// A connector and the service that it is checked against.
pub(super) struct Stage {
    pub(super) connector: Arc<dyn Connector>,
    pub(super) world: Arc<World>,
    pub(super) config: String,
    /// The values of its secrets, by name.
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) reads_files: bool,
    service: Arc<ImitatedService>,
    found: Found,
    watch: Arc<Mutex<Watch>>,
}

impl Stage {
    pub(super) fn new(
        found: &Found,
        connector: Arc<dyn Connector>,
        service: ImitatedService,
        world: Arc<World>,
    ) -> Result<Stage, String> {
        let secret = |name: &String| (name.clone(), format!("kepi-check-{}-7d41f0", name.to_lowercase()));
        Ok(Stage {
            connector,
            world,
            config: service.config()?,
            secrets: found.manifest.capabilities.secrets.iter().map(secret).collect(),
            reads_files: !service.answers(),
            service: Arc::new(service),
            found: found.clone(),
            watch: Arc::default(),
        })
    }

    pub(super) fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A host for one run.
    pub(super) fn host(&self, now: i64, trouble: Trouble) -> Result<StageHost, String> {
        let asks = &self.found.manifest.capabilities;
        let mut grants = Grants::default();
        // A source may allow hosts of one's own network; none is called here.
        asks.hosts.iter().try_for_each(|host| grants.allow_own(host).or_else(|_| grants.allow(host)))?;
        let mut secrets = Secrets::given(self.secrets.clone());
        asks.secrets.iter().try_for_each(|name| secrets.allow(name))?;
        let oauth = self.found.manifest.oauth2.iter().map(|(name, how)| {
            let oauth = OAuth {
                token_url: how.token_url.clone(),
                client_id: how.client_id.clone(),
                client_secret: how.client_secret.clone(),
                refresh_token: how.refresh_token.clone(),
            };
            (name.clone(), oauth)
        });
        let settings = HttpSettings {
            grants,
            secrets,
            oauth: oauth.collect(),
            imitation: Some(self.imitation(trouble)),
            now,
            pace: Arc::new(QuickPace::default()),
            ..HttpSettings::default()
        };
        let folder = match asks.files {
            Some(_) => Some(self.folder(now)?),
            None => None,
        };
        Ok(StageHost {
            service: HttpService::new(settings),
            folder,
            watch: Arc::clone(&self.watch),
            trouble,
            now,
            sees_secrets: asks.sees_secrets,
        })
    }

    /// The service's answers, with what goes wrong with them.
    fn imitation(&self, trouble: Trouble) -> kepi_connect::Imitation {
        let (service, watch) = (Arc::clone(&self.service), Arc::clone(&self.watch));
        let past: Mutex<Past> = Mutex::default();
        Arc::new(move |request: &HttpRequest| {
            watch.lock().unwrap_or_else(PoisonError::into_inner).sent += 1;
            let mut past = past.lock().unwrap_or_else(PoisonError::into_inner);
            let number = past.number;
            let status = |status: u16, headers: &[(&str, String)]| HttpResponse {
                status,
                headers: headers.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
                body: b"{\"message\": \"not now\"}".to_vec(),
            };
            if trouble == Trouble::Silent(number) && past.silent < SILENT_TIMES {
                past.silent += 1;
                return Err(HttpError::Network("the connection failed".to_string()));
            }
            past.number += 1;
            let path = request.url.split('?').next().unwrap_or_default().to_string();
            match trouble {
                Trouble::Refused => return Ok(status(401, &[])),
                Trouble::Astray if number == 0 => return Ok(status(302, &[("location", ASTRAY.to_string())])),
                Trouble::Status(at, code, wait) if at == number => {
                    return Ok(status(code, &[("retry-after", wait.to_string())]));
                }
                Trouble::Repeated(at) if at == number && past.path == path && past.answer.status == 200 => {
                    return Ok(past.answer.clone());
                }
                _ => {}
            }
            let mut answer = service.answer(request).map_err(HttpError::Denied)?;
            past.answer = answer.clone();
            past.path = path;
            if trouble == Trouble::Cut(number) {
                answer.body.truncate(answer.body.len() / 2);
            }
            Ok(answer)
        })
    }

    /// The files that the service's script makes, in a folder that lasts as long as the host.
    fn folder(&self, now: i64) -> Result<(tempfile::TempDir, FolderHost), String> {
        let cannot = |error: std::io::Error| format!("cannot make a folder for the connector: {error}");
        let folder = tempfile::tempdir().map_err(cannot)?;
        for (path, text) in self.service.files()? {
            let file = folder.path().join(&path);
            if !std::path::Path::new(&path).components().all(|part| matches!(part, std::path::Component::Normal(_))) {
                return Err(format!("files() names `{path}`, which is no path in a folder"));
            }
            fs::create_dir_all(file.parent().unwrap_or(folder.path())).map_err(cannot)?;
            fs::write(file, text).map_err(cannot)?;
        }
        let host = FolderHost::new(&self.found.manifest.id, folder.path(), now).map_err(cannot)?;
        Ok((folder, host))
    }
}

/// What the imitated service has answered in a run.
#[derive(Debug, Default)]
struct Past {
    number: usize,
    silent: u32,
    answer: HttpResponse,
    path: String,
}

/// So often in a row a request is sent in vain before the host gives up.
const SILENT_TIMES: u32 = 6;

/// The host of one run.
pub(super) struct StageHost {
    service: HttpService,
    folder: Option<(tempfile::TempDir, FolderHost)>,
    watch: Arc<Mutex<Watch>>,
    trouble: Trouble,
    now: i64,
    sees_secrets: bool,
}

impl StageHost {
    fn folder(&self) -> Result<&FolderHost, String> {
        self.folder.as_ref().map(|(_, folder)| folder).ok_or_else(|| "no folder was granted".to_string())
    }
}

impl ConnectorHost for StageHost {
    fn read_file(&self, path: &str) -> Result<String, String> {
        self.folder()?.read_file(path)
    }

    fn list_files(&self, pattern: &str) -> Result<Vec<String>, String> {
        self.folder()?.list_files(pattern)
    }

    fn fetch(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.service.fetch(request);
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        if self.trouble == Trouble::Astray {
            watch.astray.push(request.url.clone());
        } else if let Err(HttpError::Denied(reason)) = &answer
            // A service in trouble gives no access tokens either, and that is no fault.
            && (self.trouble == Trouble::None || reason.contains("granted"))
        {
            watch.denied.push((request.url.clone(), reason.clone()));
        }
        answer
    }

    fn secret(&self, name: &str) -> Result<String, String> {
        match self.sees_secrets {
            true => self.service.secret(name),
            false => Err("kepi-plugin.toml does not ask to see secrets".to_string()),
        }
    }

    fn now(&self) -> i64 {
        self.now
    }

    fn log(&self, message: &str) {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner).log.push(message.to_string());
    }
}

/// A clock that waits in no time.
#[derive(Debug, Default)]
struct QuickPace(Mutex<Duration>);

impl Pace for QuickPace {
    fn elapsed(&self) -> Duration {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, time: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }
}
