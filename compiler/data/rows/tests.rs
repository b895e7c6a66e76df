use proptest::prelude::*;

use super::*;

fn open(text: &[u8]) -> Result<Rows<&[u8]>, Diagnostic> {
    open_rows(text, "t.csv", None)
}

#[test]
fn the_separator_is_that_of_the_header() {
    for (text, columns) in [
        ("a,b;c\n", vec!["a", "b;c"]),
        ("a;b;c,d\n", vec!["a", "b", "c,d"]),
        ("a\tb\n", vec!["a", "b"]),
        ("\"a,b,c\";d\n", vec!["a,b,c", "d"]),
        ("alone\n", vec!["alone"]),
        ("\u{feff}a , b", vec!["a", "b"]),
    ] {
        assert_eq!(open(text.as_bytes()).unwrap().header(), columns, "{text}");
    }
    assert_eq!(open_rows(&b"a|b,c\n"[..], "t", Some('|')).unwrap().header(), ["a", "b,c"]);
    assert!(open_rows(&b"a|b,c\n"[..], "t", Some('ä')).is_err());
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    let mut rows = open(b"a,b\r\n1,\"x\ny\"\r\n\r\n3,4").unwrap();
    assert!(rows.next().unwrap());
    assert_eq!((rows.line(), rows.cell(1).unwrap()), (2, "x\ny"));
    assert!(rows.next().unwrap());
    assert_eq!((rows.number(0).unwrap(), rows.number(1).unwrap()), (Some(3.0), Some(4.0)));
    assert_eq!(rows.line(), 5);
    assert!(!rows.next().unwrap());
}

#[test]
fn open_quotes_and_ends_of_other_machines_are_named() {
    for (text, line) in [("a,b\n1,2\n3,\"4\n5,6\n", 3), ("a,b\n1,2\n\"3,4\n5,6", 3), ("a,\"b\n1,2\n", 1)] {
        let mut rows = open(text.as_bytes());
        let error = loop {
            match rows.as_mut().map(Rows::next) {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => panic!("{text:?} was read"),
                Ok(Err(error)) => break error,
                Err(error) => break error.clone(),
            }
        };
        let expected = format!("`t.csv`, line {line}: the row has a quote that is not closed");
        assert_eq!(error.message, expected, "{text:?}");
    }
    let error = open(b"a,b\r1,2\r3,4\r").err().expect("one line");
    assert!(error.message.contains("`t.csv`: the lines end in carriage returns alone"), "{}", error.message);
}

#[test]
fn long_rows_and_wide_headers_are_refused() {
    let error = |text: &[u8]| {
        let mut rows = match open(text) {
            Ok(rows) => rows,
            Err(error) => return error,
        };
        loop {
            match rows.next() {
                Ok(true) => {}
                Ok(false) => panic!("the text was read"),
                Err(error) => return error,
            }
        }
    };
    let columns = error("a,".repeat(2_000_000).as_bytes());
    assert_eq!(columns.code, Code::DATA_LIMIT, "{}", columns.message);
    assert!(
        columns.message.contains("`t.csv`, line 1: 2000001 columns; at most 65536"),
        "{}",
        columns.message
    );
    let endless = open_rows(std::io::repeat(b'a'), "t.csv", None).err().expect("no header");
    assert_eq!(endless.code, Code::DATA_LIMIT, "{}", endless.message);
    let quote = [b"a\n\"".as_slice(), "\n".repeat(20 << 20).as_bytes()].concat();
    let quote = error(&quote);
    assert_eq!(quote.code, Code::DATA_LIMIT, "{}", quote.message);
    assert!(quote.message.contains("`t.csv`, line 2"), "{}", quote.message);
}

proptest! {
    #[test]
    fn no_text_makes_a_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(mut rows) = open(&text) {
            while let Ok(true) = rows.next() {
                for column in 0..rows.header().len() {
                    let _ = (rows.cell(column), rows.number(column), rows.line());
                }
            }
        }
    }
}
