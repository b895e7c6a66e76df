//! Texts from files of anyone, made fit for a terminal.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

/// The same without signs that steer a terminal or turn the direction of writing: each becomes one that stands for it.
pub fn cleaned<T: Serialize + DeserializeOwned + Clone>(value: &T) -> T {
    let mut json = serde_json::to_value(value).unwrap_or(Json::Null);
    clean(&mut json);
    // What does not read back can only be figures that JSON has not; such are as clean as they were.
    serde_json::from_value(json).unwrap_or_else(|_| value.clone())
}

/// Whether a sign may change more than its own place.
pub(super) fn steers(sign: char) -> bool {
    sign.is_control() || matches!(sign, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn clean_text(text: &str) -> String {
    text.chars().map(|sign| if steers(sign) { char::REPLACEMENT_CHARACTER } else { sign }).collect()
}

fn clean(json: &mut Json) {
    match json {
        Json::String(text) if text.chars().any(steers) => *text = clean_text(text),
        Json::Array(list) => list.iter_mut().for_each(clean),
        Json::Object(object) => {
            object.values_mut().for_each(clean);
            if object.keys().any(|key| key.chars().any(steers)) {
                let all = std::mem::take(object);
                object.extend(all.into_iter().map(|(key, value)| (clean_text(&key), value)));
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}
