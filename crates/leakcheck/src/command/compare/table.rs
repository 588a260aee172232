//! The record's own table: a row a run, oldest first.

use leakcheck_model::result::Growth;

use super::row::Row;
use crate::summary::human;

/// What a run shows in a column, if it knows it.
type Cell = Box<dyn Fn(&Row) -> Option<String>>;

/// One column: its head, and its cell of a run.
struct Column {
    head: String,
    cell: Cell,
}

impl Column {
    fn new(head: impl Into<String>, cell: impl Fn(&Row) -> Option<String> + 'static) -> Self {
        Self {
            head: head.into(),
            cell: Box::new(cell),
        }
    }
}

/// The runs as a table; a column of which no run knows anything is left out.
pub(super) fn of(rows: &[Row]) -> String {
    let mut columns = vec![
        Column::new("run", |r| Some(r.name().to_owned())),
        Column::new("build", Row::build),
    ];
    let mut metrics: Vec<String> = rows.iter().flat_map(Row::growing).map(str::to_owned).collect();
    // Tasks and descriptors come first, as in the record.
    metrics.sort_by_key(|name| (name != "tasks", name != "fds", name.clone()));
    metrics.dedup();
    columns.extend(metrics.into_iter().map(|name| {
        Column::new(format!("{name}/min"), move |row| {
            row.growth(&name).map(|g| interval(g, row.unit(&name)))
        })
    }));
    columns.extend([
        Column::new("rotations", rotations),
        Column::new("FD growth", |r| r.fd_growth().map(signed)),
        Column::new("lost/repeated", |r| {
            r.result.lines.as_ref().map(|l| format!("{}/{}", l.lost, l.duplicated))
        }),
        Column::new("verdict", |r| Some(r.result.verdict.name().to_owned())),
    ]);
    laid_out(&columns, rows)
}

fn interval(growth: Growth, unit: &str) -> String {
    format!(
        "{} ({} to {})",
        human(growth.estimate, unit),
        human(growth.low, unit),
        human(growth.high, unit)
    )
}

/// `358 of 360`.
fn rotations(row: &Row) -> Option<String> {
    let seen = row.rotations()?;
    Some(match row.result.expected_rotations {
        Some(expected) => format!("{seen:.0} of {expected:.0}"),
        None => format!("{seen:.0}"),
    })
}

fn signed(x: f64) -> String {
    format!("{x:+.0}")
}

fn laid_out(columns: &[Column], rows: &[Row]) -> String {
    let cells: Vec<Vec<Option<String>>> = columns
        .iter()
        .map(|c| rows.iter().map(|r| (c.cell)(r)).collect::<Vec<_>>())
        .collect();
    let mut lines = vec![String::new(); rows.len() + 1];
    let shown = columns
        .iter()
        .zip(&cells)
        .filter(|(_, c)| c.iter().any(Option::is_some));
    for (column, cells) in shown {
        let texts = std::iter::once(column.head.as_str()).chain(cells.iter().map(|c| c.as_deref().unwrap_or("-")));
        let texts: Vec<&str> = texts.collect();
        let width = texts.iter().map(|t| t.chars().count()).max().unwrap_or(0);
        for (line, text) in lines.iter_mut().zip(texts) {
            line.push_str(&format!("{text:<width$}  "));
        }
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}
