//! The table of a comparison: one row for each run, oldest first.

use leakcheck_model::Unit;
use leakcheck_model::result::Growth;

use super::row::Row;

/// The text of a run in a column, if it has one.
type Cell = Box<dyn Fn(&Row) -> Option<String>>;

/// A column.
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

/// Renders the table, without columns that are empty for all runs.
pub(super) fn render(rows: &[Row]) -> String {
    let mut columns = vec![
        Column::new("run", |r| Some(r.name().to_owned())),
        Column::new("build", Row::build),
    ];
    let mut metrics: Vec<String> = rows.iter().flat_map(Row::growing).map(str::to_owned).collect();
    // Tasks and descriptors come first.
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
    align(&columns, rows)
}

/// `+2.01 (1.90 to 2.10)`.
fn interval(growth: Growth, unit: Unit) -> String {
    format!(
        "{} ({})",
        unit.format(growth.estimate),
        unit.format_interval(growth.low, growth.high)
    )
}

/// `358 of 360`.
fn rotations(row: &Row) -> Option<String> {
    let counted = row.rotations()?;
    Some(match row.result.expected_rotations {
        Some(expected) => format!("{counted:.0} of {expected:.0}"),
        None => format!("{counted:.0}"),
    })
}

fn signed(x: f64) -> String {
    format!("{x:+.0}")
}

/// Aligns the cells.
fn align(columns: &[Column], rows: &[Row]) -> String {
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
