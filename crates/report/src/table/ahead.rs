//! A long plain table, read by several threads at once.
//!
//! Apart from the rows, because it must not change what they say: what is broken depends on what came before it, so a thread that
//! reads ahead stops at the first row with which anything is wrong, and that one and those after it are read in order.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread::{self, Builder};

use super::row::{PlainRow, PlainRows};
use super::rows::Rows;

/// Bytes that are worth a thread: they are read in milliseconds, and a thread is there in a fraction of one. No more, so that the
/// memory of what was read ahead is used again and again.
const PIECE: usize = 1 << 20;

/// How many threads so many bytes are worth.
pub(super) fn readers(bytes: usize) -> usize {
    match bytes / PIECE {
        0 | 1 => 1,
        pieces => thread::available_parallelism().map_or(1, |processors| pieces.min(processors.get())),
    }
}

/// A piece of a table: all of it, what is left of it, and what was taken.
struct Piece<'a> {
    all: PlainRows<'a>,
    rest: PlainRows<'a>,
    rows: Rows,
}

/// Takes all rows, in pieces of which so many are read at once.
pub(super) fn read(mut plain: PlainRows<'_>, readers: usize, rows: &mut Rows) {
    // What times are is told by the first row that has one.
    let mut row = PlainRow::new();
    while !rows.is_begun() && plain.read_one(&mut row, rows) {}
    let count = if readers == 1 {
        1
    } else {
        readers.max(plain.left() / PIECE)
    };
    let pieces = plain.pieces(count);
    pieces
        .chunks(readers)
        .fold(plain.line(), |line, at_once| read_at_once(at_once, line, rows));
}

/// Takes the rows of neighbouring pieces after so many lines, and says after how many the next one begins.
fn read_at_once(pieces: &[PlainRows<'_>], line: u64, rows: &mut Rows) -> u64 {
    let Some((first, later)) = pieces.split_first() else {
        return line;
    };
    let mut first = first.after(line);
    let ahead = |all: &_| Piece {
        all: *all,
        rest: *all,
        rows: rows.ahead(),
    };
    let mut later: Vec<Piece<'_>> = later.iter().map(ahead).collect();
    thread::scope(|scope| {
        for piece in &mut later {
            // Without a thread, the piece is read in its turn.
            let _ = Builder::new().spawn_scoped(scope, || piece.rest.read_sound(&mut piece.rows));
        }
        first.read(rows);
    });
    later.into_iter().fold(first.line(), |line, piece| {
        let left = if rows.append(piece.rows) { piece.rest } else { piece.all };
        let mut left = left.after(line);
        left.read(rows);
        left.line()
    })
}

/// A whole file, as [`std::fs::read`] reads it.
pub(super) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    match readers(length) {
        1 => std::fs::read(path),
        // One that is cut while it is read is what is left of it.
        readers => in_parts(&file, length, readers).or_else(|_| std::fs::read(path)),
    }
}

fn in_parts(file: &File, length: usize, readers: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let size = length.div_ceil(readers);
    thread::scope(|scope| {
        let read = |(i, part)| Builder::new().spawn_scoped(scope, move || file.read_exact_at(part, (i * size) as u64));
        let threads: Vec<_> = bytes
            .chunks_mut(size)
            .enumerate()
            .map(read)
            .collect::<io::Result<_>>()?;
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })?;
    Ok(bytes)
}
