use anyhow::{Context as _, Result, ensure};
use farm_tests::{Farm, read_picture, sha256};
use film::{ExrOptions, Metadata, Picture};
use serde_json::{Value, json};

use crate::{IMPATIENT, scene};

/// Options of the picture that these jobs describe.
const PICTURE: [&str; 4] = ["--size", "96x64", "--spp", "16"];

fn job(scene: &str, name: &str) -> Value {
    json!({
        "scene": scene, "name": name, "size": [96, 64], "samples": 16, "tile": 32,
        "max_cost": "100",
    })
}

/// Micro-tokens of an amount in words.
fn micro(amount: &str) -> u64 {
    amount.replace('.', "").parse().unwrap_or(0)
}

fn id(job: &Value) -> Result<String> {
    Ok(job["job"].as_str().context("an id")?.to_owned())
}

/// A file that is cut on its way, a scene of it, a price, an order that is sent three times, its
/// events, and its picture in two ranges: that of a local render to the bit.
#[test]
fn a_script_sends_orders_watches_and_fetches() -> Result<()> {
    let mut farm = Farm::start(IMPATIENT)?;
    let _node = farm.start_node("one", &[])?;
    let studio = farm.open_studio()?;
    let bytes = std::fs::read(scene())?;
    let (hash, half) = (sha256(&bytes), bytes.len() / 2);
    let path = format!("/v1/files/{hash}");
    studio.get(&path)?.is(404)?;
    let length = bytes.len().to_string();
    let put = |offset: &str, bytes: &[u8]| {
        let headers = [("upload-offset", offset), ("upload-length", length.as_str())];
        studio.ask_as(studio.token(), "PUT", &path, &headers, bytes.to_vec())
    };
    put("0", &bytes[..half])?.is(202)?;
    let wrong = put("0", &bytes)?.is(409)?;
    ensure!(wrong.problem() == "upload-offset" && wrong.json()["received_bytes"] == half);
    put(&half.to_string(), &bytes[half..])?.is(201)?;
    put("0", &bytes)?.is(200)?;

    let new = json!({ "root": "spheres.glb", "files": { "spheres.glb": hash } });
    let made = studio.send("POST", "/v1/scenes", &new)?.is(201)?.json();
    let scene_id = made["scene"].as_str().context("an id")?;
    let missing = json!({ "root": "a.glb", "files": { "a.glb": "00".repeat(32) } });
    let missing = studio.send("POST", "/v1/scenes", &missing)?.is(422)?;
    ensure!(missing.problem() == "missing-files" && missing.json()["missing"] == json!(["a.glb"]));

    let described = job(scene_id, "by script");
    let quote = studio.send("POST", "/v1/quotes", &described)?.is(201)?.json();
    ensure!(quote["price"]["micro"].as_u64() > Some(0), "{quote}");
    let seen = studio.get(&format!("/v1/scenes/{scene_id}"))?.is(200)?.json();
    ensure!(seen["at_farm"]["whole"] == true, "{seen}");

    let newest = studio.order("key-1", &described)?.is(201)?;
    let ordered = newest.json();
    let again = studio.order("key-1", &described)?.is(201)?;
    ensure!(again.headers.get("idempotency-replayed").is_some());
    ensure!(again.body == newest.body, "the same answer again");
    let other = studio.order("key-1", &job(scene_id, "another"))?.is(422)?;
    ensure!(other.problem() == "idempotency-key-reused");
    studio.send("POST", "/v1/jobs", &described)?.is(400)?;

    let id = id(&ordered)?;
    let events = studio.events_until(&format!("/v1/jobs/{id}/events"), None, "job.done")?;
    let last = &events.last().context("events")?.1;
    ensure!(last["tiles_accepted"] == 6 && last["tile_count"] == 6, "{last}");
    let ids: Vec<u64> = events.iter().map(|(id, _)| *id).collect();
    ensure!(ids.is_sorted() && ids.iter().all(|id| *id > 0), "{ids:?}");
    // Who comes back sees the rest, and no more.
    let resumed =
        studio.events_until(&format!("/v1/jobs/{id}/events"), Some(ids[0]), "job.done")?;
    ensure!(resumed[..] == events[1..], "{resumed:?}");

    let done = studio.wait_for(&id, "done")?;
    ensure!(done["submitted_by"] == "owner" && done["progress"] == 1.0, "{done}");
    let image = format!("/v1/jobs/{id}/image.exr");
    let whole = studio.get(&image)?.is(200)?;
    let tag = whole.headers.get("etag").context("a tag")?.to_str()?.to_owned();
    let middle = whole.body.len() / 2;
    let range = |range: &str, tag: &str| {
        let headers = [("range", range), ("if-range", tag)];
        studio.ask_as(studio.token(), "GET", &image, &headers, Vec::new())
    };
    let first = range(&format!("bytes=0-{}", middle - 1), &tag)?.is(206)?;
    let second = range(&format!("bytes={middle}-"), &tag)?.is(206)?;
    ensure!([first.body, second.body].concat() == whole.body);
    range("bytes=5-", "\"another\"")?.is(200)?;
    let known = [("if-none-match", tag.as_str())];
    studio.ask_as(studio.token(), "GET", &image, &known, Vec::new())?.is(304)?;
    std::fs::write(farm.path("fetched.exr"), &whole.body)?;
    let local = farm.render_here(&scene(), &PICTURE, "local.exr")?;
    let fetched = read_picture(&farm.path("fetched.exr"))?;
    ensure!(fetched.layers().eq(local.layers()), "the picture is another");
    let png = studio.get(&format!("/v1/jobs/{id}/frames/0/image.png?view=srgb"))?.is(200)?;
    ensure!(png.body.starts_with(b"\x89PNG"));

    let receipt = studio.get(&format!("/v1/jobs/{id}/frames/0/receipt"))?.is(200)?;
    std::fs::write(farm.path("receipt.json"), &receipt.body)?;
    farm.verify_here("receipt.json")?;
    check_by_rendering(&farm, fetched)?;
    let log = studio.get(&format!("/v1/jobs/{id}/log"))?.is(200)?.json();
    ensure!(log["items"].as_array().is_some_and(|lines| lines.len() >= 2), "{log}");
    let frames = studio.get(&format!("/v1/jobs/{id}/frames"))?.is(200)?.json();
    ensure!(frames["items"][0]["complete"] == true, "{frames}");
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(6)
}

/// Whoever has the receipt, the scene and the picture renders pixels of it again: they are those of what
/// was fetched, and a picture of which one pixel is brighter is found out when that is among them.
fn check_by_rendering(farm: &Farm, fetched: Picture) -> Result<()> {
    let verify =
        |picture, pixels| farm.verify_picture_here("receipt.json", &scene(), picture, pixels);
    let good = verify("fetched.exr", 64)?;
    let says = "64 random pixels, rendered here, are those of the picture";
    let is_said = good.stdout.iter().any(|line| line.contains(says));
    ensure!(good.code == Some(0) && is_said, "the picture does not hold:\n{good}");

    let mut forged = fetched;
    let at = 20 * forged.size.width as usize + 40;
    forged.beauty[at][1] += 0.5;
    let path = farm.path("forged.exr");
    film::write_exr(&forged, &path, &Metadata::default(), &ExrOptions::default())?;
    // All of them, so that it is among them.
    let bad = verify("forged.exr", forged.size.pixel_count())?;
    let says =
        "1 of 6 144 random pixels, rendered here, differ from the picture, the first at 40,20";
    let is_said = bad.stderr.iter().any(|line| line.contains(says));
    ensure!(bad.code == Some(1) && is_said, "the forged pixel was not found:\n{bad}");
    Ok(())
}

/// The door is killed at any moment of orders, and their keys are sent again: each is one job.
#[test]
fn an_order_is_one_job_whenever_the_door_is_killed() -> Result<()> {
    let farm = Farm::start(IMPATIENT)?;
    let mut studio = farm.open_studio()?;
    let scene_id = studio.scene(&scene())?;
    studio.send("POST", "/v1/quotes", &job(&scene_id, "first"))?.is(201)?;
    studio.send("PUT", "/v1/teams/fx", &json!({}))?.is(200)?;
    let wanted = json!({ "name": "fx", "role": "submitter", "team": "fx", "jobs_max": 6 });
    let made = studio.send("POST", "/v1/tokens", &wanted)?.is(201)?.json();
    let token = made["secret"].as_str().context("a secret")?.to_owned();
    // A farm lets a key have eight lines at once, and a killed door's is one for half a minute.
    for (round, wait_ms) in [0, 3, 6, 10, 14, 20].into_iter().enumerate() {
        let (key, described) = (format!("key-{round}"), job(&scene_id, &format!("round {round}")));
        let url = studio.url().to_owned();
        let sender = {
            let (key, token, body) = (key.clone(), token.clone(), described.to_string());
            std::thread::spawn(move || farm_tests::order_and_forget(&url, &token, &key, &body))
        };
        std::thread::sleep(std::time::Duration::from_millis(wait_ms));
        studio.kill()?;
        // Whatever came of it: an answer, or a broken line.
        let _broken_or_not = sender.join();
        studio.start(&farm)?;
        let first = studio.order_as(&token, &key, &described)?.is(201)?.json();
        let again = studio.order_as(&token, &key, &described)?.is(201)?.json();
        ensure!(first["job"] == again["job"], "{first} {again}");
        ensure!(first["team"] == "fx" && first["submitted_by"] == "fx", "{first}");
    }
    // Each counts once, also those of which the door did not hear the end.
    let seventh = studio.order_as(&token, "seventh", &job(&scene_id, "one too many"))?.is(403)?;
    ensure!(seventh.problem() == "quota-exhausted", "{seventh:?}");
    let team = studio.get("/v1/teams/fx")?.is(200)?.json();
    let jobs = farm.ask(&["jobs", "list", "--limit", "100"])?;
    let mut names: Vec<&str> = jobs.iter().filter_map(|job| job["name"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    ensure!(jobs.len() == 6 && names.len() == 6, "{} jobs, {} names", jobs.len(), names.len());
    let prices: u64 = jobs.iter().filter_map(|job| job["price"].as_str()).map(micro).sum();
    ensure!(team["committed"]["micro"] == prices, "{team}, {prices}");
    let listed = studio.get("/v1/jobs?limit=4")?.is(200)?.json();
    let next = listed["next_cursor"].as_str().context("there are more")?;
    let rest = studio.get(&format!("/v1/jobs?limit=100&cursor={next}"))?.is(200)?.json();
    ensure!(rest["items"].as_array().map(Vec::len) == Some(2), "{rest}");
    Ok(())
}

/// Many order at once: each job is its team's from its first word on.
#[test]
fn jobs_that_are_ordered_at_once_are_their_teams() -> Result<()> {
    let farm = Farm::start(IMPATIENT)?;
    let studio = farm.open_studio()?;
    let scene_id = studio.scene(&scene())?;
    studio.send("POST", "/v1/quotes", &job(&scene_id, "first"))?.is(201)?;
    studio.send("PUT", "/v1/teams/fx", &json!({}))?.is(200)?;
    let wanted = json!({ "name": "fx", "role": "submitter", "team": "fx" });
    let made = studio.send("POST", "/v1/tokens", &wanted)?.is(201)?.json();
    let token = made["secret"].as_str().context("a secret")?;
    std::thread::scope(|scope| {
        for number in 0..24 {
            let (url, body) = (studio.url(), job(&scene_id, &format!("job {number}")).to_string());
            scope.spawn(move || {
                farm_tests::order_and_forget(url, token, &format!("key-{number}"), &body);
            });
        }
    });
    let jobs = studio.ask_as(token, "GET", "/v1/jobs", &[], Vec::new())?.is(200)?.json();
    let jobs = jobs["items"].as_array().context("a list")?;
    ensure!(jobs.len() == 24, "{} of 24", jobs.len());
    ensure!(jobs.iter().all(|job| job["team"] == "fx" && job["submitted_by"] == "fx"), "{jobs:?}");
    let events = studio.ask_as(token, "GET", "/v1/events?dry_run=true", &[], Vec::new())?;
    events.is(400)?;
    let paid = "/v1/jobs?dry_run=true";
    let headers = [("content-type", "application/json"), ("idempotency-key", "dry")];
    let body = job(&scene_id, "dry").to_string().into_bytes();
    studio.ask_as(token, "POST", paid, &headers, body)?.is(400)?;
    Ok(())
}

/// Roles, teams, budgets and quotas: who may what, what an order too much is answered, and what a
/// lowered budget pauses.
#[test]
fn tokens_do_what_their_role_team_and_budget_allow() -> Result<()> {
    let farm = Farm::start(IMPATIENT)?;
    let studio = farm.open_studio()?;
    let scene_id = studio.scene(&scene())?;
    let quote = studio.send("POST", "/v1/quotes", &job(&scene_id, "price"))?.is(201)?.json();
    let price = quote["price"]["micro"].as_u64().context("a price")?;
    let tokens = |micro: u64| format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
    let budget = |amount: u64| {
        json!({ "budget": {
            "amount": tokens(amount), "period": "day", "at_limit": "pause", "warn_percent": 70,
        } })
    };
    studio.send("PUT", "/v1/teams/lighting", &budget(price * 5 / 2))?.is(200)?;
    studio.send("PUT", "/v1/teams/fx", &json!({}))?.is(200)?;
    let token = |name: &str, role: &str, team: Option<&str>, jobs_max: Option<u32>| {
        let wanted = json!({ "name": name, "role": role, "team": team, "jobs_max": jobs_max });
        let made = studio.send("POST", "/v1/tokens", &wanted)?.is(201)?.json();
        Ok::<String, anyhow::Error>(made["secret"].as_str().context("a secret")?.to_owned())
    };
    let lighting = token("light", "submitter", Some("lighting"), None)?;
    let fx = token("fx", "submitter", Some("fx"), Some(1))?;
    let viewer = token("viewer", "viewer", None, None)?;
    ensure!(
        studio
            .send(
                "POST",
                "/v1/tokens",
                &json!({ "name": "x", "role": "submitter", "team": "none" })
            )?
            .status
            == 422
    );

    let described = job(&scene_id, "shot");
    let one = studio.order_as(&lighting, "a", &described)?.is(201)?.json();
    studio.order_as(&lighting, "b", &described)?.is(201)?;
    let third = studio.order_as(&lighting, "c", &described)?.is(403)?;
    ensure!(third.problem() == "budget-exhausted", "{third:?}");
    studio.order_as(&fx, "a", &described)?.is(201)?;
    ensure!(studio.order_as(&fx, "b", &described)?.is(403)?.problem() == "quota-exhausted");
    studio.order_as(&viewer, "a", &described)?.is(403)?;
    let dear = json!({ "scene": scene_id, "size": [96, 64], "samples": 16, "tile": 32, "max_cost": "0.000001" });
    let dear = studio.order("dear", &dear)?.is(422)?;
    ensure!(dear.problem() == "max-cost-exceeded" && dear.json()["price"]["micro"] == price);

    ensure!(
        studio
            .send("POST", "/v1/tokens", &json!({ "name": "x", "role": "owner", "team": "fx" }))?
            .status
            == 422
    );
    let others =
        studio.ask_as(&fx, "DELETE", &format!("/v1/scenes/{scene_id}"), &[], Vec::new())?;
    others.is(404)?;
    let id = id(&one)?;
    let get_as = |token: &str, path: &str| studio.ask_as(token, "GET", path, &[], Vec::new());
    get_as(&lighting, &format!("/v1/jobs/{id}"))?.is(200)?;
    get_as(&fx, &format!("/v1/jobs/{id}"))?.is(404)?;
    get_as(&viewer, &format!("/v1/jobs/{id}"))?.is(200)?;
    ensure!(get_as(&fx, "/v1/jobs")?.is(200)?.json()["items"].as_array().map(Vec::len) == Some(1));
    get_as(&lighting, "/v1/wallet")?.is(403)?;
    get_as("tes_nothing", "/v1/jobs")?.is(401)?;

    // Nobody renders: both jobs of lighting wait, and are paused with the budget's end.
    studio.send("PUT", "/v1/teams/lighting", &budget(price))?.is(200)?;
    studio.wait_for(&id, "paused")?;
    let events = studio.events_until("/v1/events", Some(0), "budget.exhausted")?;
    ensure!(events.iter().any(|(_, event)| event["type"] == "budget.warning"), "{events:?}");
    let dry = studio
        .send("POST", &format!("/v1/jobs/{id}/cancel?dry_run=true"), &json!({}))?
        .is(200)?
        .json();
    ensure!(dry["would_return"]["micro"] == price && dry["status"] == "paused", "{dry}");
    let gone = studio.send("POST", &format!("/v1/jobs/{id}/cancel"), &json!({}))?.is(200)?.json();
    ensure!(gone["status"] == "cancelled" && gone["refunded"]["micro"] == price, "{gone}");
    let team = studio.get("/v1/teams/lighting")?.is(200)?.json();
    ensure!(team["committed"]["micro"] == price, "one of two is back: {team}");
    let tokens = studio.get("/v1/tokens")?.is(200)?.json();
    let mut listed = tokens["items"].as_array().into_iter().flatten();
    let light = listed.find(|it| it["name"] == "light").context("the token in the list")?;
    let token_id = light["id"].as_str().context("an id")?;
    studio.send("DELETE", &format!("/v1/tokens/{token_id}"), &json!({}))?.is(204)?;
    get_as(&lighting, "/v1/whoami")?.is(401)?;
    Ok(())
}
