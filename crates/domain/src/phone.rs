//! Phone numbers.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::Country;

/// A phone number in E.164: `+` and 8 to 15 digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(String);

/// The text is no phone number that could be called from anywhere.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPhoneNumber {
    /// Not a number at all.
    #[error("must be a phone number with its country code, such as +6281234567890")]
    NotANumber,
    /// A national number, and nobody said of which country.
    #[error(
        "must be a phone number with its country code, such as +6281234567890; numbers without it are accepted once the organization has set its country"
    )]
    NoCountry,
    /// A national number that the organization's country does not have.
    #[error("is not a phone number of the organization's country; write it with its country code")]
    NotInCountry,
}

impl PhoneNumber {
    /// Reads a number in international form: `+`, country code, number. Spaces, hyphens, dots and
    /// brackets are passed over. Nothing is prefixed.
    pub fn parse(text: &str) -> Result<Self, InvalidPhoneNumber> {
        let compact = compact(text).ok_or(InvalidPhoneNumber::NotANumber)?;
        let digits = compact.strip_prefix('+').ok_or(InvalidPhoneNumber::NotANumber)?;
        Self::from_digits(digits)
    }

    /// Reads a number as people write it where they live: international, or national if the
    /// organization has set its country.
    pub fn parse_in(text: &str, country: Option<Country>) -> Result<Self, InvalidPhoneNumber> {
        let compact = compact(text).ok_or(InvalidPhoneNumber::NotANumber)?;
        if let Some(digits) = compact.strip_prefix('+') {
            return Self::from_digits(digits);
        }
        let country = country.ok_or(InvalidPhoneNumber::NoCountry)?;
        let number =
            phonenumber::parse(Some(country.id()), &compact).map_err(|_| InvalidPhoneNumber::NotInCountry)?;
        if !number.is_valid() || number.country().id() != Some(country.id()) {
            return Err(InvalidPhoneNumber::NotInCountry);
        }
        Self::parse(&number.format().mode(phonenumber::Mode::E164).to_string())
    }

    /// From the digits of an international number, as WAHA writes them.
    pub fn from_digits(digits: &str) -> Result<Self, InvalidPhoneNumber> {
        let sound = (8..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if sound {
            Ok(Self(format!("+{digits}")))
        } else {
            Err(InvalidPhoneNumber::NotANumber)
        }
    }

    /// The number with its `+`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number without its `+`, as WAHA wants it.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.0.trim_start_matches('+')
    }
}

/// The number without what people put between its digits; `None` if anything else is in it.
fn compact(text: &str) -> Option<String> {
    let mut compact = String::with_capacity(text.len());
    for c in text.trim().chars() {
        match c {
            '0'..='9' => compact.push(c),
            '+' if compact.is_empty() => compact.push(c),
            ' ' | '-' | '.' | '(' | ')' => {}
            _ => return None,
        }
    }
    (!compact.is_empty()).then_some(compact)
}

impl Serialize for PhoneNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Shows the last three digits only: what is logged by mistake says little.
impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+…{}", self.0.get(self.0.len() - 3..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indonesia() -> Country {
        "ID".parse().unwrap()
    }

    #[test]
    fn international_numbers_need_no_country() {
        for text in ["+6281234567890", "+62 812-3456-7890", "+62 (812) 3456.7890"] {
            assert_eq!(PhoneNumber::parse(text).unwrap().as_str(), "+6281234567890");
            assert_eq!(
                PhoneNumber::parse_in(text, None).unwrap().digits(),
                "6281234567890"
            );
        }
    }

    #[test]
    fn national_numbers_need_the_organizations_country() {
        assert_eq!(
            PhoneNumber::parse_in("0812 3456 7890", Some(indonesia()))
                .unwrap()
                .as_str(),
            "+6281234567890"
        );
        assert_eq!(
            PhoneNumber::parse_in("081234567890", None),
            Err(InvalidPhoneNumber::NoCountry)
        );
        assert_eq!(
            PhoneNumber::parse_in("0800", Some(indonesia())),
            Err(InvalidPhoneNumber::NotInCountry)
        );
        let britain = Some("GB".parse().unwrap());
        assert_eq!(
            PhoneNumber::parse_in("081234567890", britain),
            Err(InvalidPhoneNumber::NotInCountry)
        );
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "+",
            "hello",
            "+62abc",
            "+1234567",
            "+1234567890123456",
            "+0123456789",
            "62+81234567",
            "+６２８１２３４５６７８９",
        ] {
            assert_eq!(
                PhoneNumber::parse(text),
                Err(InvalidPhoneNumber::NotANumber),
                "{text:?}"
            );
        }
    }

    #[test]
    fn numbers_do_not_print_themselves() {
        assert_eq!(
            format!("{:?}", PhoneNumber::parse("+6281234567890").unwrap()),
            "+…890"
        );
    }
}
