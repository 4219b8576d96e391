//! Recorded mice: CSV files of `t_ms,x,y`, replayed. It stands apart from the seeded mice because
//! it reads files and decides nothing.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

/// All recordings of a folder, by name.
#[derive(Debug)]
pub struct Traces {
    recordings: Vec<Arc<Trace>>,
}

/// One recording: positions in pixels over time, at least one.
#[derive(Debug)]
pub struct Trace {
    /// Time in ms, never falling, and the position from then on.
    samples: Vec<(u64, (i32, i32))>,
}

impl Traces {
    /// Reads every `.csv` file of `folder`, sorted by name. Errors are the caller's: no such
    /// folder, no recording in it, or a line that is not three whole numbers with a time at or
    /// after the last one; the message names file and line.
    pub fn load(folder: &Path) -> Result<Self> {
        let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "csv") {
                paths.push(path);
            }
        }
        paths.sort();
        ensure!(!paths.is_empty(), "{}: no .csv file in it", folder.display());
        let mut recordings = Vec::with_capacity(paths.len());
        for path in paths {
            let name = || path.display().to_string();
            let text = std::fs::read_to_string(&path).with_context(name)?;
            recordings.push(Arc::new(Trace::parse(&text).with_context(name)?));
        }
        Ok(Self { recordings })
    }

    /// How many recordings there are.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        self.recordings.len()
    }

    /// Every second recording, from the first (0) or the second (1); None if there is none.
    pub fn half(&self, from: usize) -> Option<Self> {
        let recordings: Vec<_> = self.recordings.iter().skip(from).step_by(2).cloned().collect();
        (!recordings.is_empty()).then_some(Self { recordings })
    }

    /// The lowest and the highest positions of all recordings, axis by axis.
    pub fn bounds(&self) -> ((i32, i32), (i32, i32)) {
        let samples = self.recordings.iter().flat_map(|trace| &trace.samples);
        let all = ((i32::MAX, i32::MAX), (i32::MIN, i32::MIN));
        samples.fold(all, |(low, high), &(_, (x, y))| {
            ((low.0.min(x), low.1.min(y)), (high.0.max(x), high.1.max(y)))
        })
    }

    /// The recording of member `index`: the files in turn, and from the first again.
    pub fn of_member(&self, index: usize) -> Arc<Trace> {
        Arc::clone(&self.recordings[index % self.recordings.len()])
    }
}

impl Trace {
    /// Reads the lines after the heading `t_ms,x,y`.
    pub fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines().enumerate();
        let heading = lines.next().map(|(_, line)| line.trim());
        ensure!(heading == Some("t_ms,x,y"), "line 1: the heading is not t_ms,x,y");
        let mut samples: Vec<(u64, (i32, i32))> = Vec::new();
        for (index, line) in lines {
            let sample = parse_sample(line).with_context(|| format!("line {}", index + 1))?;
            let last = samples.last().map_or(0, |last| last.0);
            ensure!(sample.0 >= last, "line {}: time goes back", index + 1);
            samples.push(sample);
        }
        ensure!(!samples.is_empty(), "no samples");
        Ok(Self { samples })
    }

    /// The last position at or before `t_ms`; the first one before that. After its last sample the
    /// recording begins again.
    pub fn sample_at(&self, t_ms: u64) -> (i32, i32) {
        let end = self.samples.last().map_or(0, |last| last.0) + 1;
        let after = self.samples.partition_point(|&(time, _)| time <= t_ms % end);
        self.samples[after.saturating_sub(1)].1
    }
}

fn parse_sample(line: &str) -> Result<(u64, (i32, i32))> {
    let fields: Vec<_> = line.trim().split(',').collect();
    let &[time, x, y] = fields.as_slice() else { anyhow::bail!("not three fields: {line}") };
    Ok((time.parse()?, (x.parse()?, y.parse()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_holds_until_the_next_and_the_end_leads_to_the_start() {
        let trace = Trace::parse("t_ms,x,y\n0,1,1\n15,2,-2\n47,3,3\n").unwrap();
        let at = |t_ms| trace.sample_at(t_ms);
        assert_eq!(
            [at(0), at(14), at(15), at(46), at(47)],
            [(1, 1), (1, 1), (2, -2), (2, -2), (3, 3)]
        );
        assert_eq!([at(48), at(48 + 15)], [(1, 1), (2, -2)]);
    }

    #[test]
    fn before_its_first_sample_a_recording_shows_that() {
        let trace = Trace::parse("t_ms,x,y\n10,7,8\n20,9,9\n").unwrap();
        assert_eq!(trace.sample_at(3), (7, 8));
    }

    #[test]
    fn members_take_the_files_in_turn_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for (name, x) in [("b.csv", 2), ("a.csv", 1), ("c.csv", 3), ("README.md", 9)] {
            std::fs::write(folder.path().join(name), format!("t_ms,x,y\n0,{x},0\n")).unwrap();
        }
        let traces = Traces::load(folder.path()).unwrap();
        let xs: Vec<_> = (0..5).map(|index| traces.of_member(index).sample_at(0).0).collect();
        assert_eq!(xs, [1, 2, 3, 1, 2]);
        assert_eq!(traces.bounds(), ((1, 0), (3, 0)));
    }

    #[test]
    fn faults_are_named_with_their_line() {
        for (text, fault) in [
            ("0,1,1\n", "line 1"),
            ("t_ms,x,y\n", "no samples"),
            ("t_ms,x,y\n0,1\n", "line 2"),
            ("t_ms,x,y\n0,1,1\n5,a,1\n", "line 3"),
            ("t_ms,x,y\n5,1,1\n4,1,1\n", "line 3: time goes back"),
        ] {
            let error = format!("{:#}", Trace::parse(text).unwrap_err());
            assert!(error.contains(fault), "{error}");
        }
        let empty = tempfile::tempdir().unwrap();
        assert!(Traces::load(empty.path()).is_err());
    }
}
