//! Walks a TOML document and says where what is wrong: unknown keys with the nearest known one, wrong types, floats.
//!
//! Does not know plans.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::findings::{Findings, Place};
use crate::money::Money;
use crate::nearest::did_you_mean;

/// A document being read, and what was noticed.
pub struct Document<'t> {
    text: &'t str,
    /// Where each line begins.
    lines: Vec<usize>,
    pub findings: &'t mut Findings,
}

/// A table of it, with a name for messages.
#[derive(Clone, Copy)]
pub struct Table<'d, 't> {
    pub name: &'d str,
    pub at: Place,
    pub table: &'d DeTable<'t>,
}

type Value<'d, 't> = &'d Spanned<DeValue<'t>>;

impl<'t> Document<'t> {
    pub fn new(text: &'t str, findings: &'t mut Findings) -> Document<'t> {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        Document { text, lines, findings }
    }

    pub fn place(&self, offset: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        Place { line: line as u32, column: column as u32 + 1 }
    }

    pub fn at<T>(&self, value: &Spanned<T>) -> Place {
        self.place(value.span().start)
    }

    /// Refuses keys that are not known.
    pub fn known_keys(&mut self, table: Table<'_, '_>, known: &[&str]) {
        for key in table.table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let hint = did_you_mean(name, known.iter().copied(), &format!("known keys: {}", known.join(", ")));
                self.findings.error(self.at(key), format!("{}: unknown key {name:?}", table.name), hint);
            }
        }
    }

    pub fn wrong(&mut self, value: Value<'_, '_>, message: impl Into<String>, hint: impl Into<String>) {
        self.findings.error(self.at(value), message, hint);
    }

    fn expected(&mut self, value: Value<'_, '_>, what: &str, wanted: &str) {
        let found = match value.get_ref() {
            DeValue::Float(f) => {
                let hint = format!("write it in quotes: \"{}\"; a binary fraction is not exact", f.as_str());
                return self.wrong(value, format!("{what}: {} is a binary fraction", f.as_str()), hint);
            }
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.wrong(value, format!("{what}: {wanted} is expected, not {found}"), format!("write {wanted}"));
    }

    pub fn string<'d>(&mut self, what: &str, value: Value<'d, 't>) -> Option<&'d str> {
        if let DeValue::String(text) = value.get_ref() {
            return Some(text.as_ref());
        }
        self.expected(value, what, "a text in quotes");
        None
    }

    pub fn boolean(&mut self, what: &str, value: Value<'_, '_>) -> Option<bool> {
        if let DeValue::Boolean(b) = value.get_ref() {
            return Some(*b);
        }
        self.expected(value, what, "true or false");
        None
    }

    /// A whole number of 0 to `most`.
    pub fn integer(&mut self, what: &str, value: Value<'_, '_>, most: u64) -> Option<u64> {
        let DeValue::Integer(n) = value.get_ref() else {
            self.expected(value, what, "a whole number");
            return None;
        };
        let read = u64::from_str_radix(n.as_str(), n.radix()).ok().filter(|n| *n <= most);
        if read.is_none() {
            self.wrong(value, format!("{what}: {n} is not between 0 and {most}"), "");
        }
        read
    }

    /// An amount that is not negative: a text or a whole number, never a binary fraction.
    pub fn amount(&mut self, what: &str, value: Value<'_, '_>) -> Option<Money> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(n) if n.radix() == 10 => n.as_str().to_owned(),
            _ => {
                self.expected(value, what, "a decimal number in quotes");
                return None;
            }
        };
        match Money::parse(&text) {
            Ok(money) if money >= Money::ZERO => Some(money),
            Ok(_) => {
                self.wrong(value, format!("{what}: {text} is negative"), "credits are not prices");
                None
            }
            Err(bad) => {
                self.wrong(
                    value,
                    format!("{what}: {text:?} is {bad}"),
                    "write a plain decimal number such as \"0.0125\"",
                );
                None
            }
        }
    }

    /// A list of texts.
    pub fn strings<'d>(&mut self, what: &str, value: Value<'d, 't>) -> Vec<(&'d str, Value<'d, 't>)> {
        let DeValue::Array(list) = value.get_ref() else {
            self.expected(value, what, "a list of texts");
            return Vec::new();
        };
        list.iter().filter_map(|item| self.string(what, item).map(|text| (text, item))).collect()
    }

    pub fn table<'d>(&mut self, name: &'d str, value: Value<'d, 't>) -> Option<Table<'d, 't>> {
        if let DeValue::Table(table) = value.get_ref() {
            return Some(Table { name, at: self.at(value), table });
        }
        self.expected(value, name, "a table");
        None
    }
}

impl<'d, 't> Table<'d, 't> {
    pub fn get(&self, key: &str) -> Option<Value<'d, 't>> {
        self.table.get(key)
    }
}
