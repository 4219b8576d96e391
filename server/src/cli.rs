//! The command line: what a person types, turned into a config or a token, apart from the server,
//! which knows neither flags nor the environment.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use hither_server::auth::{JoinSecret, Key, Pattern, Rights, RoomGrant, TokenSpec, mint};
use hither_server::config::{Config, DemoConfig, FileOverrides, Overrides};
use hither_server::{logging, server};

/// A presence server: who is in a room, where they point, and what they change.
#[derive(Debug, Parser)]
#[command(name = "hither", version)]
pub(crate) struct Cli {
    /// What is logged to stderr, like info or hither_server=debug,quinn=warn
    #[arg(long, global = true, env = "HITHER_LOG", default_value = "info")]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve this machine, with nothing to configure
    Dev(DevArgs),
    /// Serve by a config file
    Serve(ServeArgs),
    /// Print a token for a server that takes tokens
    Token(TokenArgs),
    /// Copy the documents of a data directory, whether a server has it or not
    Backup(BackupArgs),
}

#[derive(Debug, Args)]
struct DevArgs {
    #[command(flatten)]
    overrides: Overrides,
    #[command(flatten)]
    demo: DemoConfig,
    /// Let in the machines of the local network, by a secret that a QR code shows
    #[arg(long, env = "HITHER_LAN")]
    lan: bool,
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// The config file, TOML
    #[arg(long, value_name = "FILE", env = "HITHER_CONFIG")]
    config: PathBuf,
    #[command(flatten)]
    overrides: Overrides,
    #[command(flatten)]
    file_overrides: FileOverrides,
}

#[derive(Debug, Args)]
struct TokenArgs {
    /// The key file that the server's config names, at least 32 bytes
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The user's id
    #[arg(long)]
    sub: String,
    /// The name that others see
    #[arg(long)]
    name: Option<String>,
    /// The audience that the server's config names
    #[arg(long)]
    aud: Option<String>,
    /// Rooms and rights, like 'design:*=join,presence,motion,broadcast,edit'; may be repeated
    #[arg(long, value_name = "PATTERN=RIGHT,...", required = true, value_parser = parse_room)]
    room: Vec<RoomGrant>,
    /// Seconds until the token ends
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    ttl: u32,
}

#[derive(Debug, Args)]
struct BackupArgs {
    /// The data directory
    #[arg(long, value_name = "DIR", env = "HITHER_DATA")]
    data: PathBuf,
    /// The copy, a file that is not there yet
    #[arg(value_name = "TO")]
    to: PathBuf,
}

impl Cli {
    /// Does what was typed: serves until told to stop, prints a token, or makes a copy and prints what is in it.
    ///
    /// # Errors
    /// For a person to read, with their causes: a wrong config, an unusable key, a port in use.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let config = match self.command {
            Command::Dev(args) => dev(args)?,
            Command::Serve(args) => {
                Config::serve(&args.config, args.overrides, args.file_overrides)?
            }
            Command::Token(args) => {
                println!("{}", print_token(&args, SystemTime::now())?);
                return Ok(());
            }
            Command::Backup(BackupArgs { data, to }) => {
                logging::init(&self.log)?;
                println!("{}", serde_json::to_string(&server::back_up(&data, &to)?)?);
                return Ok(());
            }
        };
        logging::init(&self.log)?;
        runtime()?.block_on(server::run(config))?;
        Ok(())
    }
}

/// The config of `hither dev`.
fn dev(args: DevArgs) -> anyhow::Result<Config> {
    let config = if args.lan {
        let address = local_address().context("this machine is in no local network")?;
        Config::dev_on(address, JoinSecret::random(), args.overrides)
    } else {
        Config::dev(args.overrides)
    };
    Ok(Config { demo: Some(args.demo), ..config })
}

/// The address by which other machines know this one: where its packets would leave from. None is sent.
fn local_address() -> std::io::Result<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
    Ok(socket.local_addr()?.ip())
}

/// One thread where there is one core: handing tasks between threads costs more than it brings
/// there.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut builder = match cores {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}

fn print_token(args: &TokenArgs, now: SystemTime) -> anyhow::Result<String> {
    let key = Key::read(&args.key)?;
    let now = now.duration_since(UNIX_EPOCH).context("the system's clock is before 1970")?;
    let spec = TokenSpec {
        sub: &args.sub,
        name: args.name.as_deref(),
        audience: args.aud.as_deref(),
        rooms: &args.room,
        expires_s: now.as_secs() + u64::from(args.ttl),
    };
    Ok(mint(&key, &spec)?)
}

fn parse_room(text: &str) -> Result<RoomGrant, String> {
    let (pattern, names) =
        text.rsplit_once('=').ok_or("rooms are given as PATTERN=RIGHT,RIGHT,...")?;
    let pattern = Pattern::parse(pattern).map_err(|error| error.to_string())?;
    let rights = names.split(',').try_fold(Rights::NONE, |rights, name| {
        Rights::from_name(name).map(|right| rights | right).ok_or_else(|| {
            let known: Vec<_> = Rights::ALL.names().collect();
            format!("\"{name}\" is no right; the rights are {}", known.join(", "))
        })
    })?;
    Ok(RoomGrant { pattern, rights })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;
    use hither_server::auth::Jwt;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_of_a_server_has_its_variable() {
        let cli = Cli::command();
        let servers = ["dev", "serve"].map(|name| cli.find_subcommand(name).unwrap());
        let flags = servers.iter().flat_map(|server| server.get_arguments());
        for flag in flags.filter(|flag| flag.get_id() != "help") {
            let long = flag.get_long().unwrap();
            let variable = format!("HITHER_{}", long.to_uppercase().replace('-', "_"));
            assert_eq!(flag.get_env(), Some(std::ffi::OsStr::new(&variable)), "--{long}");
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_refused() {
        let token = ["hither", "token", "--key", "k", "--sub", "s"];
        for (more, kind) in [
            (&["--ttl", "9"][..], ErrorKind::MissingRequiredArgument),
            (&["--ttl", "0", "--room", "*=join"], ErrorKind::ValueValidation),
            (&["--ttl", "9", "--room", "*"], ErrorKind::ValueValidation),
            (&["--ttl", "9", "--room", "*="], ErrorKind::ValueValidation),
            (&["--ttl", "9", "--room", "*:a=join"], ErrorKind::ValueValidation),
            (&["--ttl", "9", "--room", "a:b=join,fly"], ErrorKind::ValueValidation),
        ] {
            let error = Cli::try_parse_from(token.iter().chain(more)).unwrap_err();
            assert_eq!(error.kind(), kind, "{more:?}");
        }
    }

    #[test]
    fn dev_alone_has_the_demo() {
        let cli = Cli::try_parse_from(["hither", "dev", "--page", "p"]).unwrap();
        let Command::Dev(args) = cli.command else { panic!("not dev: {cli:?}") };
        assert_eq!(args.demo.page, Some("p".into()));
        let serve = ["hither", "serve", "--config", "c", "--page", "p"];
        assert_eq!(Cli::try_parse_from(serve).unwrap_err().kind(), ErrorKind::UnknownArgument);
    }

    #[test]
    fn a_printed_token_lets_its_user_in_for_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, [3; 32]).unwrap();
        let path = path.to_str().unwrap();
        let line = ["hither", "token", "--key", path, "--sub", "ada", "--aud", "a", "--ttl", "60"];
        let rooms = ["--room", "ns:a=b=join,edit", "--room", "ns:*=join"];
        let cli = Cli::try_parse_from(line.iter().chain(&rooms)).unwrap();
        let Command::Token(args) = cli.command else { panic!("not a token: {cli:?}") };
        let now = UNIX_EPOCH + std::time::Duration::from_secs(1_000);
        let token = print_token(&args, now).unwrap();

        let jwt = Jwt::new(&Key::new(vec![3; 32]).unwrap(), Some("a".into()), 0);
        let grant = jwt.verify(Some(&token), 1_059_999).unwrap();
        assert_eq!(grant.rights_in("ns:a=b"), Rights::JOIN | Rights::EDIT);
        assert_eq!(grant.rights_in("ns:c"), Rights::JOIN);
        assert!(jwt.verify(Some(&token), 1_060_000).is_err());
    }
}
