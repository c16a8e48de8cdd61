use serde::Serialize;

/// Something that is wrong, for somebody who runs a shop and not a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which examination found it.
    pub check: &'static str,
    /// What is wrong.
    pub what: String,
    /// What it means for the shop's figures.
    pub means: String,
    /// What to do.
    pub todo: String,
}

/// An examination that could not be made, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    pub check: &'static str,
    pub why: String,
}

/// Something that was looked at and found well, or simply how large it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    pub check: &'static str,
    pub says: String,
}

/// Everything the doctor has to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checkup {
    pub findings: Vec<Finding>,
    pub left_out: Vec<LeftOut>,
    pub facts: Vec<Fact>,
}

impl Checkup {
    pub(super) fn found(
        &mut self,
        check: &'static str,
        what: impl Into<String>,
        means: impl Into<String>,
        todo: impl Into<String>,
    ) {
        self.findings.push(Finding { check, what: what.into(), means: means.into(), todo: todo.into() });
    }

    pub(super) fn leave_out(&mut self, check: &'static str, why: impl Into<String>) {
        self.left_out.push(LeftOut { check, why: why.into() });
    }

    pub(super) fn well(&mut self, check: &'static str, says: impl Into<String>) {
        self.facts.push(Fact { check, says: says.into() });
    }
}
