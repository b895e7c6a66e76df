//! The table of codes. One file per hundred; each code has a name for the source and a paragraph for
//! `nasc explain`: what it means, why it is an error, an example, the way out.

mod artifact;
mod budget;
mod data;
mod model;
mod names;
mod search;
mod shapes;
mod space;
mod syntax;
mod target;

/// A code such as `E0301`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(u16);

impl Code {
    pub(super) const fn new(number: u16) -> Code {
        Code(number)
    }

    /// The code that prints as `text`, if there is one.
    pub fn parse(text: &str) -> Option<Code> {
        all_codes().map(|(code, _)| code).find(|code| code.to_string().eq_ignore_ascii_case(text))
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "E{:04}", self.0)
    }
}

/// Declares the codes of one file: `NAME = number, "explanation";`.
macro_rules! codes {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        impl super::Code {
            $(#[doc = $text] pub const $name: super::Code = super::Code::new($number);)*
        }
        pub(super) const TABLE: &[(super::Code, &str)] = &[$((super::Code::$name, $text),)*];
    };
}
use codes;

/// All codes with their explanations, in order.
pub fn all_codes() -> impl Iterator<Item = (Code, &'static str)> {
    [
        syntax::TABLE,
        names::TABLE,
        shapes::TABLE,
        space::TABLE,
        budget::TABLE,
        target::TABLE,
        data::TABLE,
        search::TABLE,
        artifact::TABLE,
        model::TABLE,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// The explanation of a code.
pub fn explain(code: Code) -> &'static str {
    all_codes().find(|&(known, _)| known == code).map_or("", |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_explained() {
        let codes: Vec<_> = all_codes().collect();
        for (index, (code, text)) in codes.iter().enumerate() {
            assert!(text.len() > 80, "{code} needs a paragraph");
            assert!(codes[..index].iter().all(|(other, _)| other < code), "{code} is out of order");
            assert_eq!(Code::parse(&code.to_string()), Some(*code));
        }
    }
}
