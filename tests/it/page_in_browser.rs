//! The status page as people see it: in a browser without a window.

mod browser;

use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use farm_tests::{Farm, PATIENCE, skip};
use serde_json::Value;

use self::browser::{Browser, Tab};
use crate::{IMPATIENT, submit};

/// What the page shows of the picture: its address, and how many colours it has on the screen.
const PICTURE: &str = "(() => {
    const picture = document.getElementById('picture');
    if (!picture || !picture.complete || picture.naturalWidth === 0) {
        return null;
    }
    const canvas = document.createElement('canvas');
    canvas.width = picture.naturalWidth;
    canvas.height = picture.naturalHeight;
    const context = canvas.getContext('2d');
    context.drawImage(picture, 0, 0);
    const pixels = new Uint32Array(
        context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    return { src: picture.getAttribute('src'), colours: new Set(pixels).size };
})()";

/// How much wider than the window the page is, pixels.
const OVERHANG: &str = "document.documentElement.scrollWidth - window.innerWidth";

/// How many figures do not fit into their place.
const SPILLS: &str = "[...document.querySelectorAll('.figure')]
    .filter(it => it.scrollWidth > it.clientWidth).length";

/// Waits until an expression on the page is what is wanted.
fn wait_for(tab: &mut Tab, expression: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let start = Instant::now();
    let mut value = Value::Null;
    while start.elapsed() < PATIENCE {
        value = tab.evaluate(expression)?;
        if wanted(&value) {
            return Ok(value);
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    bail!("the page shows {value} for {expression}")
}

fn text(tab: &mut Tab, selector: &str) -> Result<String> {
    let text = tab.evaluate(&format!("document.querySelector('{selector}').innerText"))?;
    Ok(text.as_str().with_context(|| format!("no {selector} on the page"))?.to_owned())
}

/// The farm's figures, then a job from its middle to its end without a reload, at two widths.
#[test]
fn a_browser_shows_a_job_grow_to_its_end() -> Result<()> {
    let mut browser = match Browser::start() {
        Ok(browser) => browser,
        Err(why) => return skip("the status page in a browser", &why),
    };
    let mut farm = Farm::start(&format!("status = \"127.0.0.1:0\"\n{IMPATIENT}"))?;
    let said = farm.wait_for_log(|line| line.contains("its status: http://"))?;
    let page = said.split_whitespace().last().context("no address")?.to_owned();
    let _nodes = (farm.start_node("attic", &[])?, farm.start_node("cellar", &[])?);
    farm.wait_for_nodes(2)?;
    let job = submit(&farm)?;
    job.wait_for_units(&farm, 2)?;

    let mut tab = browser.open(&page)?;
    wait_for(&mut tab, "document.querySelectorAll('#nodes tbody tr').length", |rows| *rows == 2)?;
    let (figures, nodes) = (text(&mut tab, "#figures")?, text(&mut tab, "#nodes")?);
    ensure!(figures.contains("of 2 connected") && figures.contains("Base price"), "{figures}");
    ensure!(nodes.contains("attic") && nodes.contains("cellar"), "{nodes}");
    ensure!(text(&mut tab, "#jobs")?.contains("spheres"), "no job");
    let link = tab.evaluate("document.querySelector('#jobs a').href")?;
    let link = link.as_str().context("no link")?;
    ensure!(link.ends_with(&format!("/jobs/{}", job.id)), "{link}");

    tab.resize(1280)?;
    tab.go(link)?;
    // Black is one colour, and so is the grey of what is not there.
    let seen = wait_for(&mut tab, PICTURE, |it| it["colours"].as_u64() > Some(16))?;
    let before = text(&mut tab, "#figures")?;
    let marked = tab.evaluate("window.marked = document.querySelectorAll('#tiles rect').length")?;
    let units = job.finish(&farm)?;
    let status = "document.querySelector('#figures .tag').innerText.toLowerCase()";
    wait_for(&mut tab, status, |it| *it == "done")?;
    let last = wait_for(&mut tab, PICTURE, |it| !it.is_null() && it["src"] != seen["src"])?;
    ensure!(last["colours"].as_u64() > seen["colours"].as_u64(), "{seen}, then {last}");
    let figures = text(&mut tab, "#figures")?;
    ensure!(figures.contains(&format!("of {units} units")) && figures != before, "{figures}");
    ensure!(tab.evaluate("window.marked")? == marked, "the page was loaded anew");
    let open = tab.evaluate("document.querySelectorAll('#tiles rect').length")?;
    ensure!(open == 0, "{open} tiles of a job that is done are marked as open");

    for width in [1280, 400] {
        tab.resize(width)?;
        for at in [link, &page] {
            tab.go(at)?;
            let over = wait_for(&mut tab, OVERHANG, |it| !it.is_null())?;
            ensure!(over.as_i64() <= Some(0), "{at} is {over} px wider than {width}");
            let spills = tab.evaluate(SPILLS)?;
            ensure!(spills == 0, "{spills} figures of {at} spill out at a width of {width}");
        }
    }
    ensure!(tab.complaints().is_empty(), "the browser complains: {:#?}", tab.complaints());
    farm.check_ledger()?;
    farm.check_each_unit_paid_once(units)
}
