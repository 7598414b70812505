// Texts of a chart that lie upon another.
() => {
  const inner = (box) => [box.left + 1, box.right - 1, box.top + 3, box.bottom - 3];
  const meet = ([l, r, t, b], [m, s, u, c]) => l < s && m < r && t < c && u < b;
  const texts = (svg) =>
    [...svg.querySelectorAll('text')].map((t) => [t.textContent, inner(t.getBoundingClientRect())]);
  return [...document.querySelectorAll('svg.chart')]
    .filter((svg) => svg.checkVisibility())
    .map(texts)
    .flatMap((all) =>
      all.flatMap(([a, p], i) =>
        all.slice(i + 1).filter(([, q]) => meet(p, q)).map(([b]) => `${a} on ${b}`)));
}
