//! Something that the farm is asked for.

/// What is known of it, and whether more is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched<T> {
    /// The last answer.
    pub value: Option<T>,
    /// Why the last question has no answer.
    pub trouble: Option<String>,
    /// Whether a question is under way.
    pub is_asked: bool,
}

impl<T> Default for Fetched<T> {
    fn default() -> Self {
        Self { value: None, trouble: None, is_asked: false }
    }
}

impl<T> Fetched<T> {
    /// Whether nobody has asked: no question is under way, nor was one answered or refused.
    #[must_use]
    pub const fn is_unasked(&self) -> bool {
        !self.is_asked && self.value.is_none() && self.trouble.is_none()
    }

    /// Notes a question, whatever was known before.
    pub fn ask(&mut self) {
        self.is_asked = true;
    }

    /// Notes what came of it; what was known before outlives a failure.
    pub fn take(&mut self, answer: Result<T, String>) {
        self.is_asked = false;
        match answer {
            Ok(value) => (self.value, self.trouble) = (Some(value), None),
            Err(why) => self.trouble = Some(why),
        }
    }

    /// The last answer.
    #[must_use]
    pub const fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_asked_once_and_again_when_wanted() {
        let mut fetched = Fetched::<u32>::default();
        assert!(fetched.is_unasked());
        fetched.ask();
        assert!(!fetched.is_unasked());
        fetched.take(Err("no".to_owned()));
        assert!(!fetched.is_unasked(), "a refusal is not asked for ever");
        fetched.ask();
        fetched.take(Ok(3));
        assert_eq!((fetched.get(), fetched.trouble.as_deref()), (Some(&3), None));
        fetched.take(Err("gone".to_owned()));
        assert_eq!((fetched.get(), fetched.trouble.as_deref()), (Some(&3), Some("gone")));
    }
}
