const form = document.getElementById("filter");
const claims = [...document.querySelectorAll(".claim")];

function filter() {
  const { search, origin, verdict } = Object.fromEntries(new FormData(form));
  const words = search.toLowerCase().split(/\s+/);
  for (const each of claims) {
    each.hidden =
      (origin && each.dataset.origin !== origin) ||
      (verdict && each.dataset.verdict !== verdict) ||
      !words.every((word) => each.dataset.text.includes(word));
  }
  const shown = claims.filter((each) => !each.hidden).length;
  form.querySelector("output").textContent = `${shown} of ${claims.length}`;
}

function reveal() {
  const chosen = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!chosen?.matches(".claim")) return;
  chosen.hidden = false;
  chosen.open = true;
  chosen.scrollIntoView();
}

form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", reveal);
filter();
reveal();
