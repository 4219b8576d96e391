//! The config from the operator's side: what each text means, and what each mistake is answered.

use super::*;

const MINIMAL: &str = "auth = \"anonymous\"\ntls.mint = true\n";

fn serve_with(text: &str, file_overrides: FileOverrides) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hither.toml");
    std::fs::write(&path, text).unwrap();
    let mut config = Config::serve(&path, Overrides::default(), file_overrides)?;
    if let AuthConfig::Tokens(tokens) = &mut config.auth
        && let Ok(relative) = tokens.key_file.strip_prefix(dir.path())
    {
        tokens.key_file = Path::new("base").join(relative);
    }
    Ok(config)
}

fn serve(text: &str) -> Result<Config, ConfigError> {
    serve_with(text, FileOverrides::default())
}

/// The file is refused, in a text that holds all of `words`.
fn check_wrong(text: &str, words: &[&str]) {
    let error = serve(text).unwrap_err();
    assert!(matches!(error, ConfigError::Wrong { .. }), "{error}");
    // As the binary prints it.
    let printed = format!("{:#}", anyhow::Error::from(error));
    for word in words {
        assert!(printed.contains(word), "no \"{word}\" in: {printed}");
    }
}

#[test]
fn dev_is_complete() {
    let config = Config::dev(Overrides::default());
    assert_eq!(config.listen.to_string(), "127.0.0.1:4433");
    assert_eq!(config.http.to_string(), "127.0.0.1:8080");
    assert_eq!(config.ops.to_string(), "127.0.0.1:9090");
    assert_eq!((config.auth, config.tls), (AuthConfig::LocalAnonymous, TlsConfig::Mint));
    assert_eq!(config.demo, Some(DemoConfig::default()));
    let ticks: Vec<_> = config.namespaces.iter().map(|(name, n)| (&**name, n.tick_hz)).collect();
    let by_rate = [("hz0", 0), ("hz10", 10), ("hz20", 20), ("hz30", 30), ("hz60", 60)];
    assert_eq!(ticks, [&[("default", 30)][..], &by_rate].concat());
}

#[test]
fn flags_go_before_the_file() {
    let overrides = Overrides {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        data: Some("elsewhere".into()),
        origin: vec!["https://a.example".into()],
        ..Overrides::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hither.toml");
    let file = "listen = \"0.0.0.0:1\"\nhttp = \"0.0.0.0:2\"\ndata = \"d\"\norigins = []\n";
    std::fs::write(&path, format!("{file}{MINIMAL}")).unwrap();
    let plain = Config::serve(&path, Overrides::default(), FileOverrides::default()).unwrap();
    assert_eq!(plain.listen.port(), 1);
    assert_eq!(plain.demo, None);
    assert_eq!(plain.data, Some(dir.path().join("d")));
    assert_eq!(plain.origins, Some(vec![]));
    let config = Config::serve(&path, overrides, FileOverrides::default()).unwrap();
    assert_eq!(config.listen.port(), 0);
    assert_eq!(config.http.port(), 2);
    assert_eq!(config.ops.port(), 9090);
    assert_eq!(config.data, Some("elsewhere".into()));
    assert_eq!(config.origins, Some(vec!["https://a.example".into()]));
}

#[test]
fn serve_refuses_to_start_until_it_is_told_who_may_come_in() {
    assert!(matches!(serve("tls.mint = true"), Err(ConfigError::NoAuth)));
    let keyless = "tls.mint = true\n[auth]\nmode = \"tokens\"";
    assert!(matches!(serve(keyless), Err(ConfigError::NoAuth)));
    assert_eq!(serve(MINIMAL).unwrap().auth, AuthConfig::Anonymous);

    let tokens = "tls.mint = true\n[auth]\nmode = \"tokens\"\nkey_file = \"key\"\naudience = \"a\"";
    let mut expected = TokensConfig {
        algorithm: Algorithm::Hs256,
        key_file: "base/key".into(),
        audience: Some("a".into()),
        leeway_ms: 5_000,
    };
    assert_eq!(serve(tokens).unwrap().auth, AuthConfig::Tokens(expected.clone()));

    let key = || FileOverrides { auth_key_file: Some("other".into()), ..FileOverrides::default() };
    expected.key_file = "other".into();
    assert_eq!(serve_with(tokens, key()).unwrap().auth, AuthConfig::Tokens(expected));
    assert!(serve_with(keyless, key()).is_ok());
    assert!(matches!(serve_with(MINIMAL, key()), Err(ConfigError::NoAuth)));
}

#[test]
fn serve_refuses_to_start_until_it_is_told_its_certificate() {
    for tls in [
        "",
        "tls.mint = false",
        "tls.cert = \"c\"",
        "tls = { cert = \"c\", key = \"k\", mint = true }",
    ] {
        let text = format!("auth = \"anonymous\"\n{tls}");
        assert!(matches!(serve(&text), Err(ConfigError::NoTls)), "{tls}");
    }
    let files = FileOverrides {
        tls_cert: Some("c".into()),
        tls_key: Some("k".into()),
        ..FileOverrides::default()
    };
    let config = serve_with(MINIMAL, files).unwrap();
    assert_eq!(config.tls, TlsConfig::Files { cert: "c".into(), key: "k".into() });
}

#[test]
fn an_unknown_key_is_an_error_that_names_its_line() {
    check_wrong("auth = \"anonymous\"\nlisten_on = 1", &["line 2", "listen_on"]);
    check_wrong("[auth]\nmode = \"tokens\"\nkeyfile = \"k\"", &["line 3", "keyfile"]);
    check_wrong("[tls]\nmint = true\nca = \"c\"", &["line 3", "ca"]);
    check_wrong("[limits]\n\npending = 1", &["line 3", "pending"]);
    check_wrong("[namespaces.a]\ntick_hz = 20\ntick = 1", &["line 3", "tick"]);
}

#[test]
fn limits_may_only_be_lowered() {
    let lowered = serve(&format!(
        "{MINIMAL}[limits]\npending_hellos_max = 9\n[namespaces.a]\nmembers_max = 8\naxes = [{{ step = 1 }}, {{}}]\n"
    ))
    .unwrap();
    assert_eq!(lowered.limits, LimitsConfig { pending_hellos_max: 9, ..LimitsConfig::default() });
    let namespace = NamespaceConfig { members_max: 8, ..NamespaceConfig::default() };
    assert_eq!(lowered.namespaces, BTreeMap::from([("a".to_owned(), namespace)]));

    for (table, key, over) in [
        ("limits", "pending_hellos_max", 2_049),
        ("limits", "pending_hellos_per_address_max", 65),
        ("limits", "hello_deadline_ms", 5_001),
        ("limits", "rooms_per_session_max", 17),
        ("limits", "viewer_queue_bytes_max", 262_145),
        ("limits", "viewer_motion_bytes_max", 32_769),
        ("namespaces.a", "tick_hz", 61),
        ("namespaces.a", "members_max", 4_097),
        ("namespaces.a", "presence_bytes_max", 4_097),
        ("namespaces.a", "event_bytes_max", 16_385),
        ("namespaces.a", "kept_events", 1_000_001),
        ("namespaces.a", "kept_events_days", 36_501),
        ("namespaces.a", "record_bytes_max", 65_537),
        ("namespaces.a", "motion_per_s", 121),
        ("namespaces.a", "presence_per_s", 61),
        ("namespaces.a", "events_per_s", 51),
        ("namespaces.a", "edits_per_s", 101),
        ("namespaces.a", "document_bytes_max", 16_777_217),
        ("namespaces.a", "records_max", 65_537),
        ("namespaces.a", "depth_max", 9),
        ("documents", "history_edits", 1_000_001),
        ("documents", "history_days", 36_501),
    ] {
        let text = format!("{MINIMAL}\n[{table}]\n{key} = {over}");
        check_wrong(&text, &["line 5", key, &format!("{over} is not within")]);
    }
    check_wrong("[namespaces.a]\nmembers_max = -1", &["line 2"]);
    check_wrong("[namespaces.a]\naxes = [{ step = 0.0 }]", &["line 2", "above zero"]);
    check_wrong("[namespaces.a]\naxes = [{ step = nan }]", &["line 2", "above zero"]);
    for axes in ["[]", "[{}, {}, {}, {}, {}]", "[{ min = 1, max = 0 }]", "[{ max = 2000000000 }]"] {
        check_wrong(&format!("[namespaces.a]\naxes = {axes}"), &["line 2", "1 to 4 axes"]);
    }
}

#[test]
fn values_of_the_wrong_kind_name_their_line() {
    check_wrong("auth = \"everyone\"", &["line 1", "anonymous"]);
    check_wrong("\nauth = 1", &["line 2", "[auth]"]);
    check_wrong("[auth]\nmode = \"none\"", &["line 2", "tokens"]);
    check_wrong("[auth]\nkey_file = \"k\"", &["mode"]);
    check_wrong("[auth]\nmode = \"tokens\"\nalgorithm = \"none\"", &["line 3", "HS256"]);
    check_wrong("listen = \"4433\"", &["line 1"]);
    check_wrong("origins = [\"https://a/path\"]", &["line 1", "https://a/path"]);
    check_wrong("[namespaces.\"a:b\"]\ntick_hz = 20", &["a:b"]);
    check_wrong("[namespaces.Big]\ntick_hz = 20", &["Big"]);
}

#[test]
fn edits_are_kept_for_as_long_as_it_says() {
    let kept = |text: &str| {
        let documents = serve(&format!("{MINIMAL}{text}")).unwrap().documents;
        (documents.history_edits, documents.history_age().as_secs() / 86_400)
    };
    assert_eq!(kept(""), (1_000, 30));
    assert_eq!(kept("[documents]\nhistory_edits = 5\nhistory_days = 1"), (5, 1));
}

#[test]
fn events_are_kept_where_a_namespace_says_so() {
    let kept = |text: &str| {
        let config = serve(&format!("{MINIMAL}[namespaces.a]\n{text}")).unwrap();
        let retention = config.namespaces["a"].event_retention();
        (retention.events, retention.age.as_secs() / 86_400)
    };
    assert_eq!(kept(""), (0, 30));
    assert_eq!(kept("kept_events = 5\nkept_events_days = 1"), (5, 1));
}

#[test]
fn a_namespace_has_axes_with_ranges_and_may_send_at_once() {
    let text = format!(
        "{MINIMAL}[namespaces.game]\ntick_hz = 0\naxes = [{{ step = 0.5 }}, {{ min = 0, max = 359, wraps = true }}]\n"
    );
    let motion = serve(&text).unwrap().namespaces["game"].motion_format();
    assert_eq!(motion.tick_hz, 250);
    let axes: Vec<_> = motion.axes.iter().map(|axis| (axis.step, axis.max, axis.wraps)).collect();
    assert_eq!(axes, [(0.5, (1 << 30) - 1, false), (1.0, 359, true)]);
}
