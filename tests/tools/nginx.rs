//! A real TLS server in front of the stand-in: nginx, with a certificate made for this run. It
//! sends the large file itself, and passes every other request on as it arrives.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// How often its port is tried, 10 ms apart.
const TRIES: u32 = 500;

/// A running server, which ends when this is dropped.
pub struct Nginx {
    process: Child,
    pub port: u16,
    /// The certificate to trust, in PEM.
    pub authority: PathBuf,
}

impl Nginx {
    /// Starts a server that keeps its files in `directory`.
    pub fn start(directory: &Path, large: &Path, behind: SocketAddr) -> Result<Nginx, String> {
        make_certificates(directory).map_err(|error| format!("no certificate: {error}"))?;
        let port = free_port().map_err(|error| format!("no free port: {error}"))?;
        let file = directory.join("nginx.conf");
        fs::write(&file, configuration(port, large, behind)).map_err(|error| error.to_string())?;
        let process = Command::new("nginx")
            .env("PATH", "/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin")
            .args(["-p".as_ref(), directory, "-e".as_ref(), "error.log".as_ref()])
            .args(["-c".as_ref(), file.as_path()])
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| format!("nginx: {error}: install the package nginx"))?;
        let mut nginx = Nginx { process, port, authority: directory.join("ca.pem") };
        for _ in 0..TRIES {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(nginx);
            }
            if !matches!(nginx.process.try_wait(), Ok(None)) {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let log = fs::read_to_string(directory.join("error.log")).unwrap_or_default();
        Err(format!("nginx does not listen: {log}"))
    }

    /// The id of its process, the only one.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// nginx cannot choose its port.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// An authority, and a certificate for localhost that it signs.
fn make_certificates(directory: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    fs::write(directory.join("ca.pem"), params.self_signed(&key)?.pem())?;
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(["localhost".to_owned()])?;
    // Not the name of the authority, because the certificate would look self-signed.
    params.distinguished_name.push(DnType::CommonName, "localhost");
    let certificate = params.signed_by(&key, &issuer)?;
    fs::write(directory.join("server.pem"), certificate.pem())?;
    fs::write(directory.join("server.key"), key.serialize_pem())?;
    Ok(())
}

fn configuration(port: u16, large: &Path, behind: SocketAddr) -> String {
    let large = large.display();
    format!(
        r#"
daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    client_max_body_size 0;
    default_type video/mp4;
    types {{}}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_protocols TLSv1.3;
        ssl_certificate server.pem;
        ssl_certificate_key server.key;
        location ~ /content$ {{ alias "{large}"; }}
        location / {{
            proxy_pass http://{behind};
            proxy_http_version 1.1;
            proxy_request_buffering off;
        }}
    }}
}}
"#
    )
}
