//! What was measured: one line for each figure, as a table or as JSON.

use serde_json::json;

/// A figure.
#[derive(Debug)]
pub(crate) struct Figure {
    /// The mode that yields it.
    pub(crate) mode: &'static str,
    /// What it says.
    pub(crate) what: String,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// Of Gatehouse.
    pub(crate) gatehouse: f64,
    /// What it is held against.
    pub(crate) beside: Option<Beside>,
    /// What is to be reached.
    pub(crate) reach: Option<Reach>,
}

/// The same figure of another server, in the same run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Beside {
    /// Of the bare server.
    Bare(f64),
    /// Of Mosquitto.
    Mosquitto(f64),
}

impl Beside {
    const fn value(self) -> f64 {
        match self {
            Self::Bare(value) | Self::Mosquitto(value) => value,
        }
    }

    const fn whose(self) -> &'static str {
        match self {
            Self::Bare(_) => "bare",
            Self::Mosquitto(_) => "mosquitto",
        }
    }
}

/// What is to be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reach {
    /// Gatehouse against the other server.
    RatioAtMost(f64),
    /// The figure itself.
    AtMost(f64),
    /// The figure itself.
    AtLeast(f64),
}

impl Figure {
    fn ratio(&self) -> Option<f64> {
        self.beside.map(Beside::value).filter(|beside| *beside > 0.0).map(|beside| self.gatehouse / beside)
    }

    fn is_reached(&self) -> Option<bool> {
        match self.reach? {
            Reach::RatioAtMost(most) => self.ratio().map(|ratio| ratio <= most),
            Reach::AtMost(most) => Some(self.gatehouse <= most),
            Reach::AtLeast(least) => Some(self.gatehouse >= least),
        }
    }
}

/// All figures of a run.
pub(crate) struct Figures {
    as_json: bool,
    figures: Vec<Figure>,
}

impl Figures {
    /// None yet.
    pub(crate) const fn new(as_json: bool) -> Self {
        Self { as_json, figures: Vec::new() }
    }

    /// Adds one; it is told at once on standard error, as a run takes minutes.
    pub(crate) fn add(&mut self, figure: Figure) {
        eprintln!("{}", line(&figure));
        self.figures.push(figure);
    }

    /// Prints all on standard output.
    pub(crate) fn print(&self) {
        if self.as_json {
            for figure in &self.figures {
                println!("{}", as_json(figure));
            }
            return;
        }
        println!("gatehouse-bench {}", std::env::args().skip(1).collect::<Vec<_>>().join(" "));
        println!("{HEAD}");
        for figure in &self.figures {
            println!("{}", line(figure));
        }
    }
}

const HEAD: &str = "mode       figure                                                           unit      gatehouse       beside              ratio  reach";

fn line(figure: &Figure) -> String {
    let optional = |number: Option<f64>, digits: usize| number.map_or("-".to_owned(), |n| format!("{n:.digits$}"));
    let reach = match figure.reach {
        None => String::new(),
        Some(Reach::RatioAtMost(most)) => format!("≤ {most}×"),
        Some(Reach::AtMost(most)) => format!("≤ {most}"),
        Some(Reach::AtLeast(least)) => format!("≥ {least}"),
    };
    let verdict = match figure.is_reached() {
        None => "",
        Some(true) => "  reached",
        Some(false) => "  missed",
    };
    format!(
        "{:10} {:64} {:7} {:>11.2} {:>12} {:9} {:>8}  {reach}{verdict}",
        figure.mode,
        figure.what,
        figure.unit,
        figure.gatehouse,
        optional(figure.beside.map(Beside::value), 2),
        figure.beside.map_or("", Beside::whose),
        optional(figure.ratio(), 3),
    )
}

fn as_json(figure: &Figure) -> serde_json::Value {
    json!({
        "mode": figure.mode,
        "figure": figure.what,
        "unit": figure.unit,
        "gatehouse": figure.gatehouse,
        "beside": figure.beside.map(Beside::whose),
        "beside_value": figure.beside.map(Beside::value),
        "ratio": figure.ratio(),
        "reached": figure.is_reached(),
    })
}

/// What several rounds say.
pub(crate) struct Rounds(Vec<f64>);

impl Rounds {
    /// None yet.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a round.
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// The least: what the machine can do when nobody disturbs it.
    pub(crate) fn min(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    /// The middle.
    pub(crate) fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// The greatest.
    pub(crate) fn max(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// The value that `percent` of a hundred do not exceed (nearest rank).
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks_of_what_was_measured() {
        let mut rounds = Rounds::new();
        for value in (1..=100).rev() {
            rounds.push(f64::from(value));
        }
        let said = (rounds.min(), rounds.median(), rounds.percentile(99), rounds.max());
        assert_eq!(said, (1.0, 50.0, 99.0, 100.0));
        assert!(Rounds::new().median().is_nan());
    }

    #[test]
    fn a_figure_is_held_against_what_is_to_be_reached() {
        let table = [
            (Reach::RatioAtMost(1.15), Some(100.0), Some(true)),
            (Reach::RatioAtMost(1.05), Some(100.0), Some(false)),
            (Reach::RatioAtMost(1.05), None, None),
            (Reach::AtMost(109.0), None, Some(false)),
            (Reach::AtLeast(110.0), None, Some(true)),
        ];
        for (reach, beside, expected) in table {
            let beside = beside.map(Beside::Bare);
            let figure =
                Figure { mode: "m", what: "w".into(), unit: "u", gatehouse: 110.0, beside, reach: Some(reach) };
            assert_eq!(figure.is_reached(), expected, "{reach:?}");
        }
    }
}
