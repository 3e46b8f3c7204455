//! The connectors that are part of kepi, each against a server on this machine that behaves as the service's public
//! documentation says, and their KPI packs on what was pulled.

use super::mock::{Asked, Mock, Said, said};
use super::{Said as Ran, kepi_in, project_with};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};

type Records = Arc<Mutex<Vec<Value>>>;

/// A file below `plugins/`.
pub(super) fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(path)).unwrap()
}

fn fixture(path: &str) -> Records {
    Arc::new(Mutex::new(serde_json::from_str(&file(path)).unwrap()))
}

/// A value in a query, with its escapes resolved.
fn asked_for(asked: &Asked, name: &str) -> Option<String> {
    let query = asked.target.split_once('?')?.1;
    let plain = |text: &str| {
        let (mut out, mut rest) = (Vec::new(), text.as_bytes());
        while let [first, tail @ ..] = rest {
            let escaped =
                (*first == b'%').then(|| u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
            out.push(escaped.unwrap_or(*first));
            rest = if escaped.is_some() { &tail[2..] } else { tail };
        }
        String::from_utf8(out).unwrap()
    };
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(known, _)| plain(known) == name)
        .map(|(_, value)| plain(value))
}

/// A project with a pack whose sources ask this server.
struct Pack {
    folder: tempfile::TempDir,
    secrets: Vec<(&'static str, &'static str)>,
}

impl Pack {
    fn new(name: &str, mock: &Mock, secrets: &[(&'static str, &'static str)]) -> Pack {
        let here = mock.url("");
        let options =
            format!("base_url = \"{here}\", allow = \"{here}\", token_url = \"{here}/services/oauth2/token\"");
        let model: String = file(&format!("{name}/{name}.kepi"))
            .lines()
            .map(|line| match line.starts_with("source ") {
                true if line.contains(" with ") => line.replace(" with ", &format!(" with {options}, ")) + "\n",
                true => line.replace(" {", &format!(" with {options} {{")) + "\n",
                false => line.to_string() + "\n",
            })
            .collect();
        let model_file = format!("model/{name}.kepi");
        Pack { folder: project_with(&[(&model_file, &model)]), secrets: secrets.to_vec() }
    }

    fn kepi(&self, arguments: &[&str]) -> Ran {
        kepi_in(self.folder.path(), arguments, &self.secrets)
    }

    fn sync(&self, arguments: &[&str]) -> String {
        let ran = self.kepi(&[&["sync"], arguments].concat());
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        for (_, secret) in &self.secrets {
            assert!(!ran.err.contains(secret) && !ran.out.contains(secret), "{}", ran.err);
        }
        ran.err
    }

    /// Every metric of the pack by name, and what it is.
    fn expect(&self, expected: &[(&str, f64)]) {
        let checked = self.kepi(&["check"]);
        assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
        let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
        let query = format!("show {}", names.join(", "));
        let ran = self.kepi(&["query", &query, "--format", "json", "--now", "2024-06-01"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let answer: Value = serde_json::from_str(&ran.out).unwrap();
        for (place, (name, wanted)) in expected.iter().enumerate() {
            let found = answer["rows"][0][place].as_f64();
            assert!(
                found.is_some_and(|found| (found - wanted).abs() < 1e-6),
                "{name}: {found:?} is not {wanted}\n{}",
                ran.out
            );
        }
    }
}

fn token_is(asked: &Asked, wanted: &str) -> Result<(), Said> {
    match asked.header("authorization") == Some(wanted) {
        true => Ok(()),
        false => Err(said(401, "{\"message\":\"the token is not known\"}")),
    }
}

fn either(answer: Result<Said, Said>) -> Said {
    answer.unwrap_or_else(|refused| refused)
}

/// HubSpot: https://developers.hubspot.com/docs/api/crm/search (search, sorts, filters, at most 200 a page and 10,000 in
/// all, `total`), https://developers.hubspot.com/docs/api/crm/deals (archived=true, paging.next.after).
fn hubspot(objects: Vec<(&'static str, Records)>, archived: Records) -> Mock {
    Mock::start(move |asked: &Asked, _| {
        either((|| {
            token_is(asked, "Bearer pat-eu1-123456")?;
            let path = asked.target.split('?').next().unwrap();
            let kind = path.split('/').nth(4).unwrap_or_default();
            if asked.method == "GET" {
                let found = if kind == "deals" { archived.lock().unwrap().clone() } else { Vec::new() };
                let after: usize = asked_for(asked, "after").map_or(0, |after| after.parse().unwrap());
                let page: Vec<Value> = found.iter().skip(after).take(1).cloned().collect();
                let mut answer = json!({"results": page});
                if after + 1 < found.len() {
                    answer["paging"] = json!({"next": {"after": (after + 1).to_string()}});
                }
                return Ok(said(200, &answer.to_string()));
            }
            let body: Value = serde_json::from_str(&asked.body).unwrap();
            let limit = body["limit"].as_u64().unwrap();
            let after = body["after"].as_u64().unwrap_or(0);
            if limit > 200 || after + limit > 10_000 {
                return Err(said(400, "{\"message\":\"paging past 10000 results is not supported\"}"));
            }
            let records = objects.iter().find(|(name, _)| *name == kind).unwrap().1.lock().unwrap().clone();
            let moment = |record: &Value| moment_ms(record["updatedAt"].as_str().unwrap());
            let passes = |record: &Value| {
                body["filterGroups"][0]["filters"].as_array().unwrap().iter().all(|filter| {
                    let value: i64 = filter["value"].to_string().trim_matches('"').parse().unwrap();
                    let has = match filter["propertyName"].as_str().unwrap() {
                        "hs_object_id" => record["id"].as_str().unwrap().parse().unwrap(),
                        _ => moment(record),
                    };
                    match filter["operator"].as_str().unwrap() {
                        "GTE" => has >= value,
                        "GT" => has > value,
                        _ => has < value,
                    }
                })
            };
            let mut found: Vec<Value> = records.into_iter().filter(passes).collect();
            assert_eq!(body["sorts"][0]["propertyName"], "hs_object_id");
            found.sort_by_key(|record| record["id"].as_str().unwrap().parse::<i64>().unwrap());
            let total = found.len();
            found.truncate(usize::try_from(limit).unwrap());
            Ok(said(200, &json!({"total": total, "results": found}).to_string()))
        })())
    })
}

/// Milliseconds of such a text as `2024-01-01T09:00:00.000Z`.
fn moment_ms(text: &str) -> i64 {
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    let (year, month) =
        if number(5, 7) > 2 { (number(0, 4), number(5, 7) - 3) } else { (number(0, 4) - 1, number(5, 7) + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + number(8, 10) - 1 - 719_468;
    ((days * 24 + number(11, 13)) * 60 + number(14, 16)) * 60_000 + number(17, 19) * 1_000
}

#[test]
fn hubspot_is_pulled_and_its_pack_gives_the_expected_figures() {
    let deals = fixture("hubspot/fixtures/deals.json");
    let archived: Records = Arc::default();
    let objects = vec![
        ("deals", Arc::clone(&deals)),
        ("companies", fixture("hubspot/fixtures/companies.json")),
        ("contacts", fixture("hubspot/fixtures/contacts.json")),
        ("tickets", fixture("hubspot/fixtures/tickets.json")),
    ];
    let mock = hubspot(objects, Arc::clone(&archived));
    let pack = Pack::new("hubspot", &mock, &[("HUBSPOT_TOKEN", "pat-eu1-123456")]);
    for source in ["hubspot_deals", "hubspot_companies", "hubspot_contacts", "hubspot_tickets"] {
        pack.sync(&[source]);
    }
    pack.expect(&[
        ("deals_opened", 16.0),
        ("deals_won", 8.0),
        ("deals_lost", 4.0),
        ("win_rate", 8.0 / 12.0),
        ("won_revenue", 60_000.0),
        ("lost_revenue", 36_000.0),
        ("deal_size", 7_500.0),
        ("deal_size_median", 7_500.0),
        ("sales_cycle", 16.5 * 86_400.0),
        ("sellers_with_wins", 3.0),
        ("revenue_per_seller", 20_000.0),
        ("new_contacts", 12.0),
        ("new_companies", 8.0),
        ("time_to_solve", 2.0 * 86_400.0),
    ]);
    // Two deals are archived since.
    let mut gone: Vec<Value> = deals.lock().unwrap().drain(..2).collect();
    gone.iter_mut().for_each(|deal| {
        deal["archived"] = true.into();
        deal["archivedAt"] = "2100-01-01T00:00:00.000Z".into();
    });
    archived.lock().unwrap().extend(gone);
    let said = pack.sync(&["hubspot_deals"]);
    assert!(said.contains("deal_openings  2 deleted") && said.contains("deal_closings  2 deleted"), "{said}");
    assert!(said.contains("2 records are gone at the source; deal keep what they have"), "{said}");
    pack.expect(&[("deals_opened", 14.0), ("deals_won", 6.0), ("won_revenue", 57_000.0)]);
    let refused = Pack::new("hubspot", &mock, &[("HUBSPOT_TOKEN", "pat-eu1-wrong!")]);
    let ran = refused.kepi(&["sync", "hubspot_deals"]);
    assert!(ran.code == 1 && ran.err.contains("was refused: status 401") && !ran.err.contains("wrong!"), "{}", ran.err);
}

/// Stripe: https://docs.stripe.com/api/pagination (newest first, starting_after, has_more, at most 100),
/// https://docs.stripe.com/api/events/list (types, 30 days), https://docs.stripe.com/api/customers/retrieve (deleted).
fn stripe(objects: Vec<(&'static str, Records)>, events: Records) -> Mock {
    Mock::start(move |asked: &Asked, _| {
        either((|| {
            token_is(asked, "Bearer sk_test_123456")?;
            let path: Vec<&str> = asked.target.split('?').next().unwrap().split('/').collect();
            let records = match path[2] {
                "events" => events.lock().unwrap().clone(),
                kind => objects.iter().find(|(name, _)| *name == kind).unwrap().1.lock().unwrap().clone(),
            };
            if let Some(id) = path.get(3) {
                let found = records.iter().find(|record| record["id"] == *id);
                return Ok(found.map_or_else(|| said(404, "{}"), |found| said(200, &found.to_string())));
            }
            let number = |name: &str| asked_for(asked, name).map(|value| value.parse::<i64>().unwrap());
            let limit = usize::try_from(number("limit").unwrap()).unwrap();
            assert!(limit <= 100);
            let mut found: Vec<Value> = records
                .into_iter()
                .filter(|record| {
                    let created = record["created"].as_i64().unwrap_or(i64::MAX - 1);
                    created >= number("created[gte]").unwrap() && created < number("created[lt]").unwrap_or(i64::MAX)
                })
                .collect();
            found.reverse();
            // Some pages are shorter than asked for, and more follows all the same.
            let from = asked_for(asked, "starting_after")
                .map_or(0, |id| 1 + found.iter().position(|r| r["id"] == id).unwrap());
            let page: Vec<Value> = found.iter().skip(from).take(limit.min(7)).cloned().collect();
            let more = from + page.len() < found.len();
            Ok(said(200, &json!({"object": "list", "data": page, "has_more": more}).to_string()))
        })())
    })
}

#[test]
fn stripe_is_pulled_and_its_pack_gives_the_expected_figures() {
    let (customers, charges) = (fixture("stripe/fixtures/customers.json"), fixture("stripe/fixtures/charges.json"));
    let events: Records = Arc::default();
    let objects = vec![
        ("customers", Arc::clone(&customers)),
        ("charges", Arc::clone(&charges)),
        ("subscriptions", fixture("stripe/fixtures/subscriptions.json")),
    ];
    let mock = stripe(objects, Arc::clone(&events));
    let pack = Pack::new("stripe", &mock, &[("STRIPE_KEY", "sk_test_123456")]);
    for source in ["stripe_customers", "stripe_charges", "stripe_subscriptions"] {
        pack.sync(&[source]);
    }
    pack.expect(&[
        ("payment_volume", 2_520.0),
        ("refund_volume", 15.0),
        ("net_volume", 2_505.0),
        ("refund_rate", 15.0 / 2_520.0),
        ("payment_count", 21.0),
        ("payment_size", 120.0),
        ("failed_payments", 3.0),
        ("failure_rate", 0.125),
        ("payers", 10.0),
        ("revenue_per_payer", 252.0),
        ("new_customers", 10.0),
        ("new_subscriptions", 8.0),
        ("new_mrr", 240.0),
        ("lost_subscriptions", 2.0),
        ("lost_mrr", 80.0),
    ]);
    // An old charge is given back, and a customer is deleted: no list by `created` would show it.
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    charges.lock().unwrap()[0]["amount_refunded"] = 1_000.into();
    let id = customers.lock().unwrap()[9]["id"].clone();
    customers.lock().unwrap()[9] = json!({"id": id, "object": "customer", "deleted": true});
    let event = |number: usize, kind: &str, object: Value| json!({"id": format!("evt_{number}"), "type": kind, "created": now - 70, "data": {"object": object}});
    let charge = charges.lock().unwrap()[0].clone();
    *events.lock().unwrap() = vec![event(1, "charge.refunded", charge.clone()), event(2, "charge.updated", charge)];
    let said = pack.sync(&["stripe_charges"]);
    assert!(said.contains("charges  1 replaced"), "{said}");
    let customer = customers.lock().unwrap()[9].clone();
    *events.lock().unwrap() = vec![event(3, "customer.deleted", customer)];
    let said = pack.sync(&["stripe_customers"]);
    assert!(said.contains("signups") && said.contains("1 deleted"), "{said}");
    pack.expect(&[("refund_volume", 25.0), ("new_customers", 9.0)]);
    let lists = mock.asked().iter().filter(|asked| asked.target.starts_with("/v1/charges?")).count();
    assert_eq!(lists, 4);
}

/// Salesforce: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_queryall.htm (deleted
/// records, batches that are smaller than asked for), and the refresh token flow,
/// https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_refresh_token_flow.htm.
fn salesforce(objects: Vec<(&'static str, Records)>) -> Mock {
    Mock::start(move |asked: &Asked, number| {
        either((|| {
            if asked.target == "/services/oauth2/token" {
                assert!(
                    asked.body.contains("grant_type=refresh_token") && asked.body.contains("refresh_token=refresh-123")
                );
                return Ok(said(
                    200,
                    &json!({"access_token": format!("00D!access{number}"), "token_type": "Bearer"}).to_string(),
                ));
            }
            let token = asked.header("authorization").unwrap();
            // The first token runs out after a few requests.
            if !token.starts_with("Bearer 00D!access") || (token.ends_with("access0") && number > 2) {
                return Err(said(
                    401,
                    "[{\"message\":\"Session expired or invalid\",\"errorCode\":\"INVALID_SESSION_ID\"}]",
                ));
            }
            let query = asked_for(asked, "q").unwrap();
            let between = |from: &str, to: &str| {
                let start = query.find(from).unwrap() + from.len();
                query[start..start + query[start..].find(to).unwrap()].to_string()
            };
            let records =
                objects.iter().find(|(name, _)| *name == between(" FROM ", " ")).unwrap().1.lock().unwrap().clone();
            let (since, until) = (between("SystemModstamp >= ", " "), between("SystemModstamp < ", " "));
            let (last, id) = (between("(SystemModstamp > ", " "), between("Id > '", "'"));
            let key = |record: &Value| {
                (moment_ms(record["SystemModstamp"].as_str().unwrap()), record["Id"].as_str().unwrap().to_string())
            };
            let mut found: Vec<Value> = records
                .into_iter()
                .filter(|record| {
                    let (at, own) = key(record);
                    at >= moment_ms(&since) && at < moment_ms(&until) && (at, own) > (moment_ms(&last), id.clone())
                })
                .collect();
            found.sort_by_key(key);
            let total = found.len();
            found.truncate(5);
            Ok(said(200, &json!({"totalSize": total, "done": total <= 5, "records": found}).to_string()))
        })())
    })
}

#[test]
fn salesforce_is_pulled_and_its_pack_gives_the_expected_figures() {
    let opportunities = fixture("salesforce/fixtures/opportunities.json");
    let mock = salesforce(vec![
        ("Opportunity", Arc::clone(&opportunities)),
        ("Account", fixture("salesforce/fixtures/accounts.json")),
        ("Lead", fixture("salesforce/fixtures/leads.json")),
    ]);
    let secrets = [
        ("SALESFORCE_CLIENT_ID", "client-123"),
        ("SALESFORCE_CLIENT_SECRET", "secret-123"),
        ("SALESFORCE_REFRESH_TOKEN", "refresh-123"),
    ];
    let pack = Pack::new("salesforce", &mock, &secrets);
    for source in ["salesforce_opportunities", "salesforce_accounts", "salesforce_leads"] {
        pack.sync(&[source]);
    }
    pack.expect(&[
        ("pipeline_created", 245_000.0),
        ("opportunities_created", 14.0),
        ("opportunities_won", 5.0),
        ("opportunities_lost", 4.0),
        ("bookings", 70_000.0),
        ("lost_amount", 75_000.0),
        ("opportunity_win_rate", 5.0 / 9.0),
        ("amount_win_rate", 70.0 / 145.0),
        ("booking_size", 17_500.0),
        ("accounts_won", 5.0),
        ("owners_with_bookings", 1.0),
        ("new_leads", 9.0),
        ("converted_leads", 3.0),
        ("lead_conversion_rate", 1.0 / 3.0),
    ]);
    {
        let mut records = opportunities.lock().unwrap();
        records[0]["IsDeleted"] = true.into();
        // Deleted a moment ago, as the lookback of the next run sees it.
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() - 120;
        records[0]["SystemModstamp"] = rfc3339(i64::try_from(now).unwrap()).into();
    }
    let said = pack.sync(&["salesforce_opportunities"]);
    assert!(said.contains("opportunities  1 deleted"), "{said}");
    pack.expect(&[("opportunities_created", 13.0), ("bookings", 67_500.0)]);
}

/// A moment as Salesforce writes it.
fn rfc3339(seconds: i64) -> String {
    let moment = jiff::Timestamp::from_second(seconds).unwrap();
    moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string()
}

/// Zendesk: https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/ (start_time or
/// cursor, after_cursor, end_of_stream, the status `deleted`),
/// https://developer.zendesk.com/api-reference/introduction/pagination/ (page[after], meta.has_more).
fn zendesk(objects: Vec<(&'static str, Records)>) -> Mock {
    Mock::start(move |asked: &Asked, _| {
        either((|| {
            // agent@example.com/token:zd-123456
            token_is(asked, "Basic YWdlbnRAZXhhbXBsZS5jb20vdG9rZW46emQtMTIzNDU2")?;
            let path = asked.target.split('?').next().unwrap();
            let kind = path.trim_start_matches("/api/v2/incremental/").trim_start_matches("/api/v2/");
            let kind = kind.split(['/', '.']).next().unwrap();
            let records = objects.iter().find(|(name, _)| *name == kind).unwrap().1.lock().unwrap().clone();
            if !path.contains("incremental") {
                let after: usize = asked_for(asked, "page[after]").map_or(0, |after| after.parse().unwrap());
                let page: Vec<Value> = records.iter().skip(after).take(4).cloned().collect();
                let next = after + page.len();
                let meta = json!({"has_more": next < records.len(), "after_cursor": next.to_string()});
                return Ok(said(200, &json!({kind: page, "meta": meta}).to_string()));
            }
            let from: usize = match (asked_for(asked, "cursor"), asked_for(asked, "start_time")) {
                (Some(cursor), _) => cursor.parse().unwrap(),
                (None, Some(_)) => 0,
                (None, None) => return Err(said(400, "{\"description\":\"start_time is required\"}")),
            };
            let page: Vec<Value> = records.iter().skip(from).take(5).cloned().collect();
            let next = from + page.len();
            let end = next == records.len();
            Ok(said(200, &json!({kind: page, "after_cursor": next.to_string(), "end_of_stream": end}).to_string()))
        })())
    })
}

#[test]
fn zendesk_is_pulled_and_its_pack_gives_the_expected_figures() {
    let tickets = fixture("zendesk/fixtures/tickets.json");
    let mock = zendesk(vec![
        ("tickets", Arc::clone(&tickets)),
        ("users", fixture("zendesk/fixtures/users.json")),
        ("ticket_metrics", fixture("zendesk/fixtures/ticket_metrics.json")),
        ("organizations", fixture("zendesk/fixtures/organizations.json")),
    ]);
    let pack = Pack::new("zendesk", &mock, &[("ZENDESK_TOKEN", "zd-123456")]);
    for source in ["zendesk_tickets", "zendesk_times", "zendesk_users", "zendesk_organizations"] {
        pack.sync(&[source]);
    }
    pack.expect(&[
        ("ticket_volume", 11.0),
        ("open_tickets", 5.0),
        ("urgent_tickets", 3.0),
        ("solved_tickets", 6.0),
        ("solution_rate", 6.0 / 11.0),
        ("first_reply_minutes", 680.0 / 11.0),
        ("first_reply_median", 60.0),
        ("resolution_minutes", 1_440.0),
        ("reopened", 1.0),
        ("one_touch_rate", 7.0 / 11.0),
        ("satisfaction", 6.0 / 9.0),
        ("requesters", 4.0),
        ("tickets_per_requester", 2.75),
        ("new_users", 6.0),
    ]);
    let mut gone = tickets.lock().unwrap()[0].clone();
    gone["status"] = "deleted".into();
    tickets.lock().unwrap().push(gone);
    let said = pack.sync(&["zendesk_tickets"]);
    assert!(said.contains("tickets  1 deleted"), "{said}");
    assert!(pack.sync(&["zendesk_tickets"]).contains("`zendesk_tickets` has nothing new"));
    pack.expect(&[("ticket_volume", 10.0)]);
}
