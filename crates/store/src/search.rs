//! Looking for words in texts.

use sea_orm::{
    ColumnTrait, Condition,
    sea_query::{Expr, ExprTrait, Func, LikeExpr},
};

/// Whether one of these columns has these words in it.
///
/// Letters are compared without their case, as far as the database can: SQLite knows that of ASCII, and
/// PostgreSQL what its locale knows. So the words are tried in both foldings, and as written they are
/// always found.
pub(crate) fn has_words<C: ColumnTrait>(columns: &[C], words: &str) -> Condition {
    let mut condition = Condition::any();
    let (folded, folded_ascii) = (words.to_lowercase(), words.to_ascii_lowercase());
    for words in [Some(&folded), (folded_ascii != folded).then_some(&folded_ascii)] {
        let Some(pattern) = words.map(|words| containing(words)) else {
            continue;
        };
        for column in columns {
            let text = Expr::expr(Func::lower(Expr::col(column.as_column_ref())));
            condition = condition.add(text.like(LikeExpr::new(pattern.clone()).escape('\\')));
        }
    }
    condition
}

/// The pattern that every text with these words in it matches.
fn containing(words: &str) -> String {
    let mut pattern = String::from("%");
    for c in words.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
