// What the page does: sliders choose a cell, the cloud and the curves follow. Vega-Lite draws.
const data = JSON.parse(document.getElementById("data").textContent);
const by = (id) => document.getElementById(id);
const { axes, points } = data;
const digits = (v) => (typeof v === "number" ? Number(v.toPrecision(4)).toString() : String(v));
const strides = axes.map((_, k) => axes.slice(k + 1).reduce((n, axis) => n * axis.values.length, 1));
const placesOf = (cell) => axes.map((axis, k) => Math.floor(cell / strides[k]) % axis.values.length);
const isNumber = (axis) => typeof axis.values[0] === "number";
const median = (values) => {
  const sorted = values.filter((v) => v !== null).sort((a, b) => a - b), half = sorted.length / 2;
  return sorted.length ? (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2 : NaN;
};
const all = points.gain.map((_, i) => {
  const row = { kind: "point", at: placesOf(points.cell[i]) };
  for (const name in points) row[name] = points[name][i];
  axes.forEach((axis, k) => { row[axis.name] = axis.values[row.at[k]]; });
  return row;
});
const bins = data.bins === null ? [] : data.bins.count.map((count, i) => {
  const { edges, x, y, cell } = data.bins;
  return { kind: "bin", at: placesOf(cell[i]), count, x: edges[x[i]], x2: edges[x[i] + 1], y: edges[y[i]], y2: edges[y[i] + 1] };
});
const cells = data.cells.map((cell) => ({ ...cell, at: placesOf(cell.cell) }));
const state = { at: axes.map((axis) => axis.values.length - 1), cursor: -1 };
let visible = [], cloud = null, curve = null, histogram = null, brushed = null;

const axisOf = (id) => { const name = by(id).value; return axes.findIndex((axis) => axis.name === name); };
const shown = (rows, free) => rows.filter((row) => axes.every((_, k) => free.includes(k) || row.at[k] === state.at[k]));
const dark = () => document.documentElement.classList.contains("dark");
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
// A dot or a bracket in the name of a field would be a path to Vega.
const field = (name) => name.replace(/[.[\]'"\\]/g, "\\$&");

function frame(rows) {
  if (!by("fit").checked || !rows.length) return data.limits;
  const ends = (name) => { const s = rows.map((r) => r[name]).sort((a, b) => a - b), n = s.length - 1;
    return [s[Math.floor(n * 0.005)], s[Math.ceil(n * 0.995)]]; };
  const both = [...ends("misfit"), ...ends("gain"), 0], low = Math.min(...both), high = Math.max(...both);
  return [low - 0.04 * (high - low), high + 0.04 * (high - low)];
}

function colours(k, values = null) {
  const kept = values ?? axes[k].values;
  return { field: field(axes[k].name), type: "nominal", title: axes[k].name, sort: axes[k].values, legend: { symbolOpacity: 1 },
    scale: { domain: kept, range: axes[k][dark() ? "dark" : "light"] } };
}

function cloudRows() {
  const [c, f] = [axisOf("color"), axisOf("facet")];
  visible = shown(all, [c, f]).sort((a, b) => a.misfit - b.misfit);
  const total = {};  // colours lie above each other: their bins are one
  for (const bin of shown(bins, [c, f])) {
    const panel = f < 0 ? "" : axes[f].values[bin.at[f]], key = `${bin.x} ${bin.y} ${panel}`;
    total[key] ??= { ...bin, count: 0, ...(f < 0 ? {} : { [axes[f].name]: panel }) };
    total[key].count += bin.count;
  }
  const cursor = visible[state.cursor];
  return [...Object.values(total), ...visible, ...(cursor ? [{ ...cursor, kind: "cursor" }] : [])];
}

function cloudSpec(rows) {
  const [c, f] = [axisOf("color"), axisOf("facet")], ends = frame(visible), size = f < 0 ? 440 : 260;
  const only = (kind) => [{ filter: `datum.kind === '${kind}'` }];
  const at = (name, x) => ({ [x]: { field: name, type: "quantitative", title: data.labels[name] ?? name,
    scale: { domain: ends, nice: false }, axis: { labelOverlap: true } } });
  const place = { ...at("misfit", "x"), ...at("gain", "y") };
  const told = ["pair", "task", ...axes.map((axis) => axis.name), ...Object.keys(data.points).filter((n) => !["pair", "task", "cell"].includes(n))];
  const plain = f < 0 ? {} : { width: size, height: size };
  const layer = [
    ...(bins.length ? [{ transform: only("bin"), mark: { type: "rect", clip: true, color: css("--quiet") },
      encoding: { x: { field: "x", type: "quantitative" }, x2: { field: "x2" }, y: { field: "y", type: "quantitative" }, y2: { field: "y2" },
        opacity: { field: "count", type: "quantitative", scale: { type: "log", range: [0.08, 0.6] }, legend: { title: "points per bin" } },
        tooltip: [{ field: "count", title: "points in the bin" }] } }] : []),
    { data: { values: [{ x: ends[0], y: 0, x2: ends[1], y2: 0, dash: 0 }, { x: ends[0], y: ends[0], x2: ends[1], y2: ends[1], dash: 1 }] },
      mark: { type: "rule", color: css("--quiet"), clip: true },
      encoding: { x: { field: "x", type: "quantitative" }, y: { field: "y", type: "quantitative" }, x2: { field: "x2" }, y2: { field: "y2" },
        strokeDash: { field: "dash", type: "nominal", legend: null, scale: { domain: [0, 1], range: [[1, 0], [6, 4]] } } } },
    { name: "points", transform: only("point"), mark: { type: "point", filled: true, size: 26, clip: true },
      params: [{ name: "brush", select: { type: "interval", encodings: ["x", "y"] } }],
      encoding: { ...place, tooltip: told.map((name) => ({ field: field(name), title: name })),
        color: c < 0 ? { value: css("--strong") } : colours(c),
        opacity: { condition: { param: "brush", value: 0.75 }, value: 0.12 } } },
    { transform: only("cursor"), mark: { type: "point", size: 220, strokeWidth: 3, color: css("--text"), clip: true }, encoding: place },
  ];
  const top = { data: { name: "rows", values: rows } };
  return f < 0 ? { ...top, width: size, height: size, layer }
    : { ...top, facet: { field: field(axes[f].name), type: isNumber(axes[f]) ? "ordinal" : "nominal", title: axes[f].name, sort: axes[f].values },
        columns: 4, spec: { ...plain, layer } };
}

function curveRows() {
  const [c, f, x] = [axisOf("color"), axisOf("facet"), axisOf("x")], name = by("quantity").value;
  return shown(cells, [c, f, x]).filter((cell) => cell.values[name]?.[0] !== null && cell.values[name]).map((cell) => {
    const [middle, low, high, bottom, top] = cell.values[name];
    const row = { middle, low, high, bottom, top };
    if (name === "deviation" && cell.law) [row.law_low, row.law, row.law_high] = cell.law;
    axes.forEach((axis, k) => { row[axis.name] = axis.values[cell.at[k]]; });
    return row;
  });
}

function curveSpec(rows) {
  const [c, f, x] = [axisOf("color"), axisOf("facet"), axisOf("x")], name = by("quantity").value, axis = axes[x];
  const coloured = c >= 0 && c !== x, values = axis.values, hasLaw = rows.some((row) => "law" in row);
  const log = isNumber(axis) && values[0] > 0 && values[values.length - 1] > 8 * values[0];
  const across = isNumber(axis)
    ? { field: field(axis.name), type: "quantitative", title: axis.label, scale: { type: log ? "log" : "linear", nice: false, padding: 14, ...(log ? {} : { zero: false }) }, axis: { labelOverlap: true } }
    : { field: field(axis.name), type: "ordinal", sort: values, title: axis.label };
  const up = (column) => ({ field: column, type: "quantitative", title: data.labels[name] ?? name, scale: { zero: false } });
  const color = coloured ? { color: colours(c) } : { color: { value: css("--strong") } };
  const told = [...axes.map((a) => a.name), "middle", "low", "high", ...(hasLaw ? ["law_low", "law", "law_high"] : [])];
  const law = hasLaw ? [
    { mark: { type: "area", opacity: 0.25, color: css("--quiet") }, encoding: { x: across, y: up("law_low"), y2: { field: "law_high" }, ...(coloured ? { detail: { field: field(axes[c].name) } } : {}) } },
    { mark: { type: "line", strokeDash: [5, 4], color: css("--text") }, encoding: { x: across, y: up("law"), ...(coloured ? { detail: { field: field(axes[c].name) } } : {}) } },
  ] : [];
  const layer = [
    ...law,
    { mark: { type: "rule", color: css("--line") }, encoding: { y: { datum: 0 } } },
    { mark: { type: "area", opacity: 0.15 }, encoding: { x: across, y: up("bottom"), y2: { field: "top" }, ...color } },
    { mark: { type: "rule", strokeWidth: 2 }, encoding: { x: across, y: up("low"), y2: { field: "high" }, ...color } },
    { mark: { type: "line", point: { size: 60, filled: true } }, encoding: { x: across, y: up("middle"), ...color,
      tooltip: told.map((n) => ({ field: field(n), title: { middle: "median", low: "95% interval from", high: "to", law: "law's median", law_low: "law's 5%", law_high: "law's 95%" }[n] ?? n })) } },
  ];
  const top = { data: { name: "rows", values: rows } }, apart = f >= 0 && f !== x;
  return apart ? { ...top, facet: { field: field(axes[f].name), type: isNumber(axes[f]) ? "ordinal" : "nominal", title: axes[f].name, sort: axes[f].values }, columns: 4, spec: { width: 260, height: 220, layer } }
    : { ...top, width: 560, height: 300, layer };
}

const embed = (id, spec, describe, renderer) => vegaEmbed(`#${id}`, { $schema: "https://vega.github.io/schema/vega-lite/v6.json", description: describe, background: "transparent", ...spec }, {
  renderer, actions: { export: true, source: false, compiled: false, editor: false }, tooltip: { theme: dark() ? "dark" : "light" },
  config: { view: { stroke: css("--line") }, axis: { labelColor: css("--text"), titleColor: css("--text"), gridColor: css("--line"), gridOpacity: 0.4, domainColor: css("--line"), tickColor: css("--line"), titleFontWeight: "normal" },
    legend: { labelColor: css("--text"), titleColor: css("--text") }, header: { labelColor: css("--text"), titleColor: css("--text") } },
}).then((result) => result.view);

function listen(view) {
  view.addSignalListener("brush", (_, ranges) => { brushed = ranges.misfit && ranges.gain ? ranges : null; tellSelected(); });
  return view;
}

async function tellSelected() {
  const within = (v, [a, b]) => v >= Math.min(a, b) && v <= Math.max(a, b);
  const rows = brushed ? visible.filter((r) => within(r.misfit, brushed.misfit) && within(r.gain, brushed.gain)) : visible;
  const pairs = new Set(rows.map((row) => row.pair)).size, part = (name) => digits(median(rows.map((r) => r[name])));
  by("selected").textContent = `${brushed ? "Selected" : "Shown"}: ${rows.length} points of ${pairs} pairs; median gain ${part("gain")}, misfit ${part("misfit")}, deviation ${digits(median(rows.map((r) => r.gain - r.misfit)))}.`;
  const sorted = rows.map((r) => r.gain - r.misfit).sort((a, b) => a - b), n = sorted.length - 1;
  const values = sorted.slice(Math.floor(n * 0.01), Math.ceil(n * 0.99) + 1).map((deviation) => ({ deviation }));
  if (histogram) { histogram.data("rows", values).run(); return; }
  histogram = await embed("selection", { width: 440, height: 90, data: { name: "rows", values }, mark: { type: "bar", color: css("--strong") },
    encoding: { x: { field: "deviation", bin: { maxbins: 40 }, type: "quantitative", title: data.labels.deviation ?? "deviation" },
      y: { aggregate: "count", title: "points" }, tooltip: [{ aggregate: "count", title: "points" }] } }, "Histogram of the deviation of the selected points without the outermost 1% at either end", "svg");
}

function tellCounts() {
  const [low, high] = frame(visible);
  const beyond = visible.filter((r) => Math.min(r.misfit, r.gain) < low || Math.max(r.misfit, r.gain) > high).length;
  const sample = data.bins === null ? "" : `, an even sample of the ${data.total.toLocaleString("en")} points of all cells, which the grey bins count`;
  by("count").textContent = `${visible.length} points${sample}; ${beyond} lie outside the frame.`;
  const free = [axisOf("color"), axisOf("facet")], here = shown(cells, free);
  const count = (rows, i) => rows.reduce((n, cell) => n + cell.flags[i], 0), pairs = (rows) => rows.reduce((n, cell) => n + cell.pairs, 0);
  fill("status", ["flag", `pairs shown (of ${pairs(here)})`, `pairs in all cells (of ${pairs(cells)})`, "what it means"],
    data.flags.map((flag, i) => [flag.name, count(here, i), count(cells, i), flag.meaning]), [0, 3]);
}

function fill(id, head, rows, words = []) {
  const line = (tag, values) => {
    const row = document.createElement("tr");
    values.forEach((value, i) => { const cell = document.createElement(tag); cell.textContent = value;
      if (tag === "th") cell.scope = "col"; if (words.includes(i)) cell.className = "words"; row.append(cell); });
    return row;
  };
  by(id).replaceChildren(line("th", head), ...rows.map((row) => line("td", row)));
}

function sliders() {
  const free = [axisOf("color"), axisOf("facet")];
  axes.forEach((axis, k) => { const input = by(`axis-${k}`); input.disabled = free.includes(k);
    const text = free.includes(k) ? "all" : digits(axis.values[state.at[k]]);
    by(`value-${k}`).textContent = text; input.setAttribute("aria-valuetext", text); });
}

// Values only, for a moved slider; `redraw` for another drawing.
async function update() {
  state.cursor = -1; by("said").textContent = "";
  sliders();
  if (by("fit").checked) { await redraw(); return; }
  cloud.data("rows", cloudRows());
  cloud.run();
  if (curve) await drawCurve();
  brushed = null; tellSelected(); tellCounts();
}

async function drawCurve() {
  if (!axes.length) { by("along").hidden = true; return; }
  const rows = curveRows();
  by("law").textContent = rows.some((row) => "law" in row) ? "Grey and dashed: where the law of the deviation puts the middle 90% of single tasks, and their median." : "";
  curve = await embed("curve", curveSpec(rows), `Median ${by("quantity").value} along ${by("x").value}, the numbers of the table below`, "svg");
}

async function redraw() {
  sliders();
  for (const view of [cloud, curve, histogram]) view?.finalize();
  histogram = brushed = null;
  cloud = listen(await embed("cloud", cloudSpec(cloudRows()), "Gain against misfit of pairs and tasks", "canvas"));
  await drawCurve();
  await tellSelected(); tellCounts();
  window.report = { cloud, curve, limits: frame(visible), get visible() { return visible; } };
}

function step(by_) {
  if (!visible.length) return;
  state.cursor = Math.min(visible.length - 1, Math.max(0, by_ === "first" ? 0 : by_ === "last" ? visible.length - 1 : state.cursor + by_));
  const row = visible[state.cursor];
  by("said").textContent = [`pair ${row.pair}`, `task ${row.task}`, ...axes.map((axis) => `${axis.name} ${digits(row[axis.name])}`),
    ...Object.keys(data.points).filter((n) => !["pair", "task", "cell"].includes(n)).map((n) => `${n} ${digits(row[n])}`)].join(", ");
  cloud.data("rows", cloudRows()).run();
}

const option = (value, text) => { const made = document.createElement("option"); made.value = value; made.textContent = text; return made; };
by("title").textContent = data.title;
by("about").textContent = `${axes.length ? cells.length + " cells" : "One cell"}, ${Math.max(...cells.map((c) => c.pairs))} pairs, ${data.total.toLocaleString("en")} points of a pair and a task.`;
by("notes").replaceChildren(...data.notes.map((note) => { const p = document.createElement("p"); p.className = "quiet"; p.textContent = note; return p; }));
axes.forEach((axis, k) => {
  const label = document.createElement("label"), input = document.createElement("input"), value = document.createElement("output");
  Object.assign(input, { type: "range", id: `axis-${k}`, min: 0, max: axis.values.length - 1, step: 1, value: state.at[k] });
  value.id = `value-${k}`;
  label.append(axis.label, input, value);
  by("cells").append(label);
  input.addEventListener("input", () => { state.at[k] = Number(input.value); update(); });
});
by("cells").hidden = !axes.length;
for (const id of ["color", "facet"]) {
  by(id).append(option("", "none"), ...axes.map((axis) => option(axis.name, axis.name)));
  by(id).addEventListener("change", redraw);
}
const names = Object.keys(cells[0].values);
by("quantity").append(...names.map((name) => option(name, name)));
by("quantity").value = names.includes("deviation") ? "deviation" : names[0];
by("x").append(...axes.map((axis) => option(axis.name, axis.name)));
if (axes.length) {
  by("x").value = (axes.find((axis) => axis.name === "n_strong") ?? axes.find(isNumber) ?? axes[0]).name;
  by("color").value = (axes.find((axis) => axis.name !== by("x").value) ?? { name: "" }).name;
}
by("x").addEventListener("change", drawCurve);
by("quantity").addEventListener("change", drawCurve);
by("fit").addEventListener("change", redraw);
const prefers = matchMedia("(prefers-color-scheme: dark)");
document.documentElement.classList.toggle("dark", prefers.matches);
prefers.addEventListener("change", () => { document.documentElement.classList.toggle("dark", prefers.matches); redraw(); });
by("theme").addEventListener("click", () => { document.documentElement.classList.toggle("dark"); redraw(); });
by("cloud").addEventListener("keydown", (event) => {
  const move = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 100, PageDown: -100, Home: "first", End: "last" }[event.key];
  if (move !== undefined) { event.preventDefault(); step(move); }
});
const quantile = ([middle, low, high]) => (middle === null ? "none" : digits(middle) + (low === null ? "" : ` [${digits(low)}, ${digits(high)}]`));
fill("table", [...axes.map((axis) => axis.name), "pairs", ...names],
  cells.slice(0, 1000).map((cell) => [...cell.at.map((at, k) => digits(axes[k].values[at])), cell.pairs, ...names.map((name) => quantile(cell.values[name]))]));
by("configuration").textContent = JSON.stringify(data.configuration, null, 2);
fill("made", ["what", "value"], Object.entries(data.made), [0, 1]);
await redraw();
document.documentElement.dataset.ready = "yes";
