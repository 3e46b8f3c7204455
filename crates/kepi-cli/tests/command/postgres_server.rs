//! A PostgreSQL server of this machine's own program, for one test, on a port of its own.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Somebody who is nobody: the server does not run as root.
const NOBODY: u32 = 65_534;

/// A running server, which ends with the test.
pub(super) struct Server {
    child: Child,
    folder: tempfile::TempDir,
    programs: PathBuf,
    pub(super) port: u16,
}

impl Server {
    /// Starts a server with the role `tester`. None: its programs are not on this machine, which is said.
    pub(super) fn start() -> Option<Server> {
        let Some(programs) = programs() else {
            eprintln!("skipped: there is no PostgreSQL server on this machine (initdb, postgres, psql)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let root = fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
        if root {
            chown(&data, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let run = |program: &str| {
            let mut command = Command::new(programs.join(program));
            command.current_dir("/").env_remove("PGDATA").env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null());
            if root {
                command.uid(NOBODY).gid(NOBODY);
            }
            command
        };
        let made = run("initdb")
            .args(["--no-sync", "-U", "tester", "-E", "UTF8", "--auth-local=trust", "--auth-host=scram-sha-256", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        certify(folder.path(), &data, root);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = run("postgres")
            .arg("-D")
            .arg(&data)
            .args([
                "-p",
                &port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "fsync=off",
                "-c",
                "ssl=on",
                "-k",
            ])
            .arg(&data)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server { child, folder, programs, port };
        let until = Instant::now() + Duration::from_secs(60);
        while !server.psql("postgres", "select 1").status.success() {
            assert!(Instant::now() < until, "the server does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(server)
    }

    fn psql(&self, database: &str, sql: &str) -> std::process::Output {
        Command::new(self.programs.join("psql"))
            .args([
                "-X",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "tester",
                "-p",
                &self.port.to_string(),
                "-d",
                database,
                "-h",
            ])
            .arg(self.folder.path().join("data"))
            .args(["-c", sql])
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs statements in a database, as its owner.
    pub(super) fn run(&self, database: &str, sql: &str) {
        let ran = self.psql(database, sql);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    /// The certificate that the server's is signed by: its own.
    pub(super) fn certificate(&self) -> PathBuf {
        self.folder.path().join("server.crt")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the programs are, all three in one folder.
fn programs() -> Option<PathBuf> {
    let installed =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = installed.chain(std::env::split_paths(&path).collect::<Vec<_>>());
    found.into_iter().find(|folder| ["initdb", "postgres", "psql"].iter().all(|name| folder.join(name).is_file()))
}

/// Makes a certificate for `localhost`.
fn certify(folder: &Path, data: &Path, root: bool) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(data.join("server.key"))
        .arg("-out")
        .arg(data.join("server.crt"))
        .stdin(Stdio::null())
        .output()
        .expect("openssl makes the server's certificate");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    fs::copy(data.join("server.crt"), folder.join("server.crt")).unwrap();
    for name in ["server.key", "server.crt"] {
        let path = data.join(name);
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        if root {
            chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
}
