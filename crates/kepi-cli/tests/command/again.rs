//! The same rows once more, changed: what is counted is what the last load says.

use super::{kepi, project_with};

const MODEL: &str = "entity deal key id { owner: text }\n\
    event wins of deal at closed { value: money(EUR) }\n\
    event steps of deal at moment { stage: text }\n\
    source crm from \"crm.csv\" {\n  deal: key id, owner\n  wins: at closed, id id, of deal id, value where outcome = \"Won\"\n\
      steps: at created, id = concat(id, \"-lead\"), of deal id, stage = \"lead\"\n\
      steps: at closed, id = concat(id, \"-end\"), of deal id, stage = outcome\n}\n";

fn counted(folder: &std::path::Path) -> String {
    let query = "show count(wins) as wins, sum(wins.value) as value, count(steps) as steps, count(deal) as deals";
    kepi(folder, &["query", query, "--format", "csv", "--now", "2025-06-01"]).out.lines().nth(1).unwrap().to_string()
}

#[test]
fn a_row_that_its_mapping_no_longer_takes_is_gone() {
    let header = "id,owner,created,closed,outcome,value\n";
    let before = "d1,ada,2025-01-01,2025-02-01,Won,100\nd2,bob,2025-01-02,2025-02-02,Won,50\nd3,bob,2025-01-03,,,7\n";
    let after = "d1,ada,2025-01-01,2025-02-01,Lost,100\nd2,bob,2025-01-02,,,50\nd3,bob,2025-01-03,2025-03-01,Won,7\n";
    let folder = project_with(&[("model/crm.kepi", MODEL), ("crm.csv", &format!("{header}{before}"))]);
    let load = |more: &[&str]| {
        let ran = kepi(folder.path(), &[&["load", "crm.csv", "--source", "crm"], more].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.err + &ran.out
    };
    load(&[]);
    assert_eq!(counted(folder.path()), "2,150,5,3");
    std::fs::write(folder.path().join("crm.csv"), format!("{header}{after}")).unwrap();
    let kept = load(&["--on-conflict", "keep"]);
    assert!(!kept.contains("deleted"), "{kept}");
    assert_eq!(counted(folder.path()), "3,157,6,3");
    let said = load(&[]);
    assert!(said.contains("2 deleted"), "{said}");
    assert_eq!(counted(folder.path()), "1,7,5,3");
    assert!(!load(&[]).contains("deleted"), "what is gone is not gone again");
}

#[test]
fn two_files_that_number_their_rows_alike_are_warned_of() {
    let model = "event sales at day { amount: number }\n\
        source shop from \"shop.csv\" { sales: at day, id nr, amount }\n\
        source pos from \"pos.csv\" { sales: at day, id nr, amount }\n";
    let folder = project_with(&[("model/m.kepi", model)]);
    let said = kepi(folder.path(), &["check"]);
    assert!(said.code == 0 && said.out.contains("K506") | said.err.contains("K506"), "{}{}", said.out, said.err);
    assert!(format!("{}{}", said.out, said.err).contains("id = concat(\"pos-\", nr)"), "{}{}", said.out, said.err);
}
