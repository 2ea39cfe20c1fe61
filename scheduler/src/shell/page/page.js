// Replaces what has changed, every other second. Without it the page is whole, and stands still.
"use strict";

const EVERY_MS = 2000;

/** Takes over the elements with an id from a newer copy of this page. */
function take(page) {
  for (const fresh of page.querySelectorAll("main [id]")) {
    const old = document.getElementById(fresh.id);
    if (!old) {
      continue;
    }
    if (old.tagName === "IMG") {
      // The old picture stays until the new one is there.
      if (old.getAttribute("src") !== fresh.getAttribute("src")) {
        const loader = new Image();
        loader.onload = () => old.setAttribute("src", fresh.getAttribute("src"));
        loader.src = fresh.getAttribute("src");
      }
    } else if (old.outerHTML !== fresh.outerHTML) {
      old.replaceWith(fresh);
    }
  }
}

function tell(words) {
  document.getElementById("contact").textContent = words;
}

async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (answer.ok) {
        take(new DOMParser().parseFromString(await answer.text(), "text/html"));
        tell("");
      } else {
        tell("The scheduler answers: " + (await answer.text()));
      }
    } catch {
      tell("The scheduler does not answer; trying again.");
    }
  }
  setTimeout(refresh, EVERY_MS);
}

setTimeout(refresh, EVERY_MS);
