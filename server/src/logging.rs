//! Logs to stderr, apart from stdout, where the one ready line goes: for people on a terminal, JSON
//! lines otherwise.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The operator's `--log` or `HITHER_LOG` is not a filter.
    #[error("the log filter \"{filter}\" can't be read: {reason}")]
    Filter {
        /// The filter as given.
        filter: String,
        /// What is wrong with it.
        reason: tracing_subscriber::filter::ParseError,
    },
    /// The embedding program has a subscriber already.
    #[error(transparent)]
    Taken(#[from] TryInitError),
}

/// Sends the process's logs to stderr, by a filter like `info` or `hither_server=debug,quinn=warn`.
///
/// # Errors
/// The filter can't be read, or the process logs elsewhere already.
pub fn init(filter: &str) -> Result<(), LogError> {
    let human = std::io::stderr().is_terminal();
    subscriber(filter, human, std::io::stderr)?.try_init()?;
    Ok(())
}

type Subscriber = Box<dyn tracing::Subscriber + Send + Sync>;

fn subscriber<W>(filter: &str, human: bool, writer: W) -> Result<Subscriber, LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(filter)
        .map_err(|reason| LogError::Filter { filter: filter.to_owned(), reason })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    Ok(if human {
        Box::new(builder.finish())
    } else {
        Box::new(builder.json().flatten_event(true).finish())
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, human: bool) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = subscriber(filter, human, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(members = 3, "hello");
            tracing::debug!("hidden");
        });
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_lines_hold_the_fields() {
        let text = logged("info", false);
        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(line["message"], "hello");
        assert_eq!(line["members"], 3);
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn the_filter_decides() {
        assert!(logged("debug", true).contains("hidden"));
        assert!(!logged("info", true).contains("hidden"));
        assert!(matches!(subscriber("a=b=c", true, std::io::sink), Err(LogError::Filter { .. })));
    }
}
