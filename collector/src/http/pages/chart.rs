//! Charts as SVG: columns over time, each with a text and, where there is one, an address. The same numbers are in a
//! table beside it, for whoever cannot see it.

/// Size of the drawing; the page stretches it.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;

/// A column as it is asked for.
pub(crate) struct Column {
    /// What it is of, such as a day.
    pub(crate) name: String,
    /// Where it leads; empty for nowhere.
    pub(crate) href: String,
    /// Amounts from the bottom to the top, one for each of the chart's parts.
    pub(crate) amounts: Vec<u64>,
}

/// A column as it is drawn.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) title: String,
    pub(crate) amounts: Vec<u64>,
    pub(crate) x: String,
    pub(crate) pieces: Vec<Piece>,
}

/// A part of a column.
pub(crate) struct Piece {
    pub(crate) class: &'static str,
    pub(crate) y: String,
    pub(crate) height: String,
}

/// A drawing of columns.
pub(crate) struct Chart {
    /// Name of each part and the class it is coloured by.
    pub(crate) parts: Vec<(String, &'static str)>,
    pub(crate) bars: Vec<Bar>,
    /// The highest column.
    pub(crate) peak: u64,
    pub(crate) width: String,
}

impl Chart {
    /// Draws columns. Amounts that are not nothing are at least seen.
    pub(crate) fn new(parts: Vec<(String, &'static str)>, columns: Vec<Column>) -> Self {
        let sum = |column: &Column| column.amounts.iter().sum::<u64>();
        let peak = columns.iter().map(sum).max().unwrap_or(0);
        let step = WIDTH / columns.len().max(1) as f64;
        let bars = columns.into_iter().enumerate().map(|(place, column)| {
            let mut bottom = HEIGHT;
            let pieces = column
                .amounts
                .iter()
                .zip(&parts)
                .filter(|(amount, _)| **amount > 0);
            let pieces = pieces.map(|(amount, (_, class))| {
                let height = (*amount as f64 / peak.max(1) as f64 * HEIGHT)
                    .max(1.0)
                    .min(bottom);
                bottom -= height;
                Piece {
                    class,
                    y: format!("{bottom:.1}"),
                    height: format!("{height:.1}"),
                }
            });
            let pieces = pieces.collect();
            let told = column.amounts.iter().zip(&parts);
            let told: Vec<String> = told.map(|(n, (name, _))| format!("{n} {name}")).collect();
            Bar {
                title: format!("{}: {}", column.name, told.join(", ")),
                name: column.name,
                href: column.href,
                amounts: column.amounts,
                x: format!("{:.1}", place as f64 * step),
                pieces,
            }
        });
        Self {
            bars: bars.collect(),
            parts,
            peak,
            width: format!("{:.1}", (step * 0.86).max(0.8)),
        }
    }

    /// Whether its columns lead somewhere.
    pub(crate) fn leads(&self) -> bool {
        self.bars.iter().any(|bar| !bar.href.is_empty())
    }

    /// Name of the first column and of the last.
    pub(crate) fn ends(&self) -> (&str, &str) {
        let ends = (self.bars.first(), self.bars.last());
        match ends {
            (Some(first), Some(last)) => (&first.name, &last.name),
            _ => ("", ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_on_each_other_and_the_highest_is_full() {
        let column = |name: &str, amounts: &[u64]| Column {
            name: name.to_owned(),
            href: String::new(),
            amounts: amounts.to_vec(),
        };
        let parts = vec![("errors".to_owned(), "error"), ("lines".to_owned(), "rest")];
        let columns = vec![
            column("a", &[10, 30]),
            column("b", &[0, 1]),
            column("c", &[0, 0]),
        ];
        let chart = Chart::new(parts, columns);
        assert_eq!((chart.peak, chart.ends()), (40, ("a", "c")));
        let first: Vec<_> = chart.bars[0]
            .pieces
            .iter()
            .map(|p| (p.class, p.y.as_str(), p.height.as_str()))
            .collect();
        assert_eq!(first, [("error", "75.0", "25.0"), ("rest", "0.0", "75.0")]);
        assert_eq!(chart.bars[0].title, "a: 10 errors, 30 lines");
        assert_eq!(chart.bars[1].pieces.len(), 1);
        assert!(chart.bars[2].pieces.is_empty());
        assert!(Chart::new(Vec::new(), Vec::new()).bars.is_empty());
    }
}
