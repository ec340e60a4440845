//! The schema page in `docs/` is what the code says.

use hypercolumn_schemas::{schema_page, tables};

#[test]
fn the_page_is_current() {
    let page = include_str!("../../docs/tables.md");
    let current = schema_page(&tables::ALL);
    assert_eq!(page, current, "write it again: hypercolumn tables > docs/tables.md");
}
