//! The file of a table: lines of JSON, compressed by gzip.
//!
//! The first line is the [`Head`]; each further line is a network: `[genome, [costs], [[qualities of a seed], ...]]`,
//! costs and qualities in the order of the head's names, `null` for a training that diverged.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic};

/// Version of the format.
const VERSION: u32 = 1;

/// Decompressed tables are at most so large: some ten million figures.
const MOST_BYTES: u64 = 256 << 20;

/// What all rows of a table have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Version of the format.
    pub version: u32,
    /// The model's name.
    pub name: String,
    /// Hash of the data and its cut.
    pub data: String,
    /// Hashes of the sections that the figures follow from.
    pub sections: std::collections::BTreeMap<String, String>,
    /// The spec's seed.
    pub seed: u64,
    /// Names of the costs, such as `ram@cortex-m4`.
    pub costs: Vec<String>,
    /// Names of the figures of quality on the validation part, of the integer network.
    pub qualities: Vec<String>,
    /// Trainings of each network.
    pub seeds: usize,
    /// Points of the space that are no network, do not meet what is required of costs, or have the network of another
    /// point.
    pub left_out: usize,
}

/// A network of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its canonical text.
    pub genome: String,
    /// In the order of [`Head::costs`].
    pub costs: Vec<f64>,
    /// For each seed the figures in the order of [`Head::qualities`]; `None` where the training diverged.
    pub qualities: Vec<Option<Vec<f64>>>,
}

/// Every network of a small space with what it costs and how good it is, so that strategies are compared without
/// training.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// What the rows have in common.
    pub head: Head,
    /// By genome.
    pub rows: Vec<Row>,
}

impl Head {
    /// The version that is written.
    pub(super) const VERSION: u32 = VERSION;
}

impl Table {
    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_string(&self.head).expect("plain data serializes") + "\n";
        for row in &self.rows {
            let genome: serde_json::Value =
                serde_json::from_str(&row.genome).unwrap_or_else(|_| row.genome.clone().into());
            let line = serde_json::json!([genome, row.costs, row.qualities]);
            text += &(line.to_string() + "\n");
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text.as_bytes()).expect("a Vec takes all");
        encoder.finish().expect("a Vec takes all")
    }

    /// The inverse of [`Table::to_bytes`].
    ///
    /// # Errors
    /// E0701 with what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Table, Diagnostic> {
        Table::parse(bytes).map_err(|error| {
            Diagnostic::error(Code::DATA_FORMAT, format!("the table cannot be read: {error}"))
                .help("make it anew with `nasc table`; trials that are kept are not trained again")
        })
    }

    fn parse(bytes: &[u8]) -> Result<Table, String> {
        let mut text = String::new();
        let read = GzDecoder::new(bytes).take(MOST_BYTES + 1).read_to_string(&mut text);
        let read = read.map_err(|error| error.to_string())? as u64;
        if read > MOST_BYTES {
            return Err(format!("it has more than {} MiB", MOST_BYTES >> 20));
        }
        let mut lines = text.lines();
        let head: Head = serde_json::from_str(lines.next().unwrap_or_default()).map_err(|e| e.to_string())?;
        if head.version != VERSION {
            return Err(format!("it has version {}, this nasc reads {VERSION}", head.version));
        }
        let row = |(number, line): (usize, &str)| -> Result<Row, String> {
            let place = |error: String| format!("line {}: {error}", number + 2);
            let (genome, costs, qualities): (serde_json::Value, Vec<f64>, Vec<Option<Vec<f64>>>) =
                serde_json::from_str(line).map_err(|error| place(error.to_string()))?;
            let is_whole =
                |seed: &Option<Vec<f64>>| seed.as_ref().is_none_or(|seed| seed.len() == head.qualities.len());
            let fits = costs.len() == head.costs.len() && qualities.len() == head.seeds;
            if !fits || !qualities.iter().all(is_whole) {
                return Err(place("it has other figures than the head says".into()));
            }
            Ok(Row { genome: genome.to_string(), costs, qualities })
        };
        let rows = lines.enumerate().map(row).collect::<Result<_, _>>()?;
        Ok(Table { head, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let head = Head {
            version: VERSION,
            name: "waves".into(),
            data: "00".into(),
            sections: [("space".to_owned(), "11".to_owned())].into(),
            seed: 7,
            costs: vec!["ram@host".into()],
            qualities: vec!["accuracy".into(), "error".into()],
            seeds: 2,
            left_out: 3,
        };
        let row = |width: u32, accuracy: f64| Row {
            genome: format!("{{\"width\":{width}}}"),
            costs: vec![f64::from(width) * 100.0],
            qualities: vec![Some(vec![accuracy, 1.0 - accuracy]), None],
        };
        Table { head, rows: vec![row(4, 0.1 + 0.2), row(8, 1.0 / 3.0)] }
    }

    #[test]
    fn tables_read_back_to_the_bit() {
        let table = table();
        let bytes = table.to_bytes();
        assert_eq!(Table::from_bytes(&bytes).expect("its own bytes"), table);
        assert_eq!(table.to_bytes(), bytes);
    }

    #[test]
    fn damaged_tables_are_told_from_others() {
        let message = |bytes: &[u8]| Table::from_bytes(bytes).expect_err("damaged").message;
        assert!(message(b"no gzip").starts_with("the table cannot be read"));
        let bytes = table().to_bytes();
        assert!(message(&bytes[..bytes.len() / 2]).starts_with("the table cannot be read"));
        let mut newer = table();
        newer.head.version = 99;
        assert!(message(&newer.to_bytes()).contains("version 99"));
        let mut short = table();
        short.rows[1].costs.clear();
        assert!(message(&short.to_bytes()).contains("line 3: it has other figures"));
    }
}
