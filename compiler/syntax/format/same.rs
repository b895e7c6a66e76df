//! Whether two texts say the same: the check of every result of the formatter.

use crate::syntax::format::lex::{Kind, Token, lex};
use crate::syntax::format::marks::Role;

/// What is left of a text without white space, and without the commas and line ends that mean nothing.
#[derive(PartialEq)]
struct Essence<'a> {
    /// Words, signs and doc comments; `,` and a line end are both `,`.
    code: Vec<&'a str>,
    /// Other comments.
    comments: Vec<&'a str>,
}

/// Whether `after` has the same words, signs and comments in the same order, joined in the same way as those of `text`.
/// `roles` are those of `tokens`.
pub(super) fn same(text: &str, tokens: &[Token], after: &str, roles: &[Role]) -> bool {
    // Both have the same brackets if they say the same, so the roles go by the count of those.
    let opens = tokens.iter().zip(roles).filter(|(token, _)| token.kind == Kind::Open);
    let roles: Vec<Role> = opens.map(|(_, &role)| role).collect();
    essence(text, tokens, &roles) == essence(after, &lex(after), &roles)
}

/// An open bracket, or the file.
struct Level {
    is_value: bool,
    is_list: bool,
    /// Whether `(a,)` is a tuple here and `(a)` is none.
    is_tuple: bool,
    n_commas: usize,
    is_empty: bool,
}

fn essence<'a>(text: &'a str, tokens: &[Token], roles: &[Role]) -> Essence<'a> {
    let (mut code, mut comments) = (Vec::new(), Vec::new());
    let file = Level { is_value: false, is_list: false, is_tuple: false, n_commas: 0, is_empty: true };
    let mut levels = vec![file];
    let (mut comma, mut line, mut n_opens) = (false, false, 0);
    for (at, token) in tokens.iter().enumerate() {
        let Some(level) = levels.last_mut() else { break };
        let found = token.text(text);
        match token.kind {
            Kind::Newline => {
                line = true;
                continue;
            }
            Kind::Comma => {
                comma = true;
                level.n_commas += 1;
                continue;
            }
            Kind::Comment { alone } if !alone || level.is_value || !found.starts_with("///") => {
                comments.push(found);
                continue;
            }
            _ => {}
        }
        let joins = if level.is_value {
            let closes = token.kind == Kind::Close;
            comma && (!closes || level.is_tuple && level.n_commas == 1)
        } else {
            let goes_on = !level.is_list && (found == "{" || found == "else" && opens_next(text, tokens, at));
            (comma || line && !goes_on) && !level.is_empty && token.kind != Kind::Close
        };
        if joins {
            code.push(",");
        }
        (comma, line, level.is_empty) = (false, false, false);
        code.push(found);
        match token.kind {
            Kind::Open => {
                let role = roles.get(n_opens).copied().unwrap_or(Role::Plain);
                n_opens += 1;
                levels.push(Level {
                    is_value: !matches!(role, Role::Body | Role::List),
                    is_list: role == Role::List,
                    is_tuple: role == Role::Plain && found == "(",
                    n_commas: 0,
                    is_empty: true,
                });
            }
            Kind::Close if levels.len() > 1 => {
                levels.pop();
            }
            _ => {}
        }
    }
    Essence { code, comments }
}

/// Whether a brace comes next.
fn opens_next(text: &str, tokens: &[Token], at: usize) -> bool {
    let code = |token: &&Token| !matches!(token.kind, Kind::Newline | Kind::Comment { .. });
    tokens[at + 1..].iter().find(code).is_some_and(|token| token.text(text) == "{")
}
