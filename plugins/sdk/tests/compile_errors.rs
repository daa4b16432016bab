//! What an author reads who made a mistake: in the words of a policy, at the place where it was made.
//!
//! `TRYBUILD=overwrite cargo test --test compile_errors` writes down what the compiler says now.

#[test]
fn mistakes_are_told_in_the_authors_words() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
