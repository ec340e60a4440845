// Draws the plots of this page from the JSON beside them, when they come into view; everything is drawn
// before printing. Colours of text and grid come from here, so that all plots look alike; a dark page
// turns the lightness of the plots' own colours about.
"use strict";
(() => {
  const family = getComputedStyle(document.body).fontFamily;
  const LIGHT = { ink: "#3d4451", soft: "#5a6270", grid: "#eceef1", line: "#c9ced6", label: "#ffffff", text: "#1b1f27" };
  const DARK = { ink: "#c6ccd6", soft: "#a3abb8", grid: "#2a303a", line: "#4a5362", label: "#20252d", text: "#e8ebf0" };
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  let isPrinted = false;
  const isDark = () => prefersDark.matches && !isPrinted;

  function templateOf(colors) {
    const axis = {
      gridcolor: colors.grid, linecolor: colors.line, zerolinecolor: colors.line, zerolinewidth: 1,
      ticks: "outside", tickcolor: colors.line, ticklen: 4, automargin: true,
      title: { font: { size: 12.5, color: colors.ink }, standoff: 8 },
      tickfont: { size: 11.5, color: colors.soft },
    };
    const font = { family, size: 12, color: colors.text };
    return {
      layout: {
        font: { family, size: 12, color: colors.ink },
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        xaxis: axis, yaxis: axis, dragmode: false,
        hoverlabel: { bgcolor: colors.label, bordercolor: colors.line, font, align: "left" },
      },
      data: {
        heatmap: [{
          colorbar: { tickfont: { size: 11, color: colors.soft }, title: { font: { size: 11.5, color: colors.ink } } },
        }],
      },
    };
  }

  // A colour as [hue in degrees, saturation, lightness, alpha]; `#rrggbb` and `rgba(…)` are all that plots have.
  function toHsl(color) {
    const parts = color.startsWith("#")
      ? [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16))
      : color.match(/[\d.]+/g).map(Number);
    const [r, g, b] = parts.slice(0, 3).map((part) => part / 255);
    const most = Math.max(r, g, b), least = Math.min(r, g, b), range = most - least;
    const lightness = (most + least) / 2;
    const saturation = range === 0 ? 0 : range / (1 - Math.abs(2 * lightness - 1));
    let hue = 0;
    if (range > 0) {
      hue = most === r ? ((g - b) / range) % 6 : most === g ? (b - r) / range + 2 : (r - g) / range + 4;
    }
    return [60 * hue, saturation, lightness, parts[3] ?? 1];
  }
  function fromHsl([hue, saturation, lightness, alpha]) {
    const chroma = saturation * Math.min(lightness, 1 - lightness);
    const channel = (n) => {
      const k = (n + hue / 30 + 12) % 12;
      return Math.round(255 * (lightness - chroma * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
    };
    return `rgba(${channel(0)},${channel(8)},${channel(4)},${alpha})`;
  }
  // Marks stand out from a dark page in the order in which they do from a white one: dark colours become the light ones.
  function markOnDark(color) {
    const [hue, saturation, lightness, alpha] = toHsl(color);
    return fromHsl([hue, saturation, Math.min(0.82, Math.max(0.48, 0.88 - 0.72 * lightness)), alpha]);
  }
  // The middle of a heat map's scale becomes the page's colour.
  function areaOnDark(color) {
    const [hue, saturation, lightness, alpha] = toHsl(color);
    return fromHsl([hue, saturation, Math.max(0.13, 1 - lightness), alpha]);
  }
  function onDark(trace) {
    const copy = structuredClone(trace);
    for (const part of [copy.line, copy.marker, copy.error_y]) {
      if (part && typeof part.color === "string") part.color = markOnDark(part.color);
    }
    if (copy.fillcolor) copy.fillcolor = markOnDark(copy.fillcolor);
    if (copy.colorscale) copy.colorscale = copy.colorscale.map(([at, color]) => [at, areaOnDark(color)]);
    return copy;
  }

  const config = { responsive: true, displayModeBar: false, displaylogo: false, doubleClick: false };
  const contentOf = (element) => JSON.parse(document.getElementById(element.id + "-data").textContent);

  function figureOf(element, dark) {
    const plot = contentOf(element);
    const layout = Object.assign({}, plot.layout, { template: templateOf(dark ? DARK : LIGHT), autosize: true });
    for (const name of ["xaxis", "yaxis"]) {
      layout[name] = Object.assign({}, layout[name], { fixedrange: true });
      if (layout[name].showticklabels === false) layout[name].ticks = "";
    }
    // A matrix is square whatever the width that its scale leaves.
    if (element.classList.contains("square")) {
      Object.assign(layout.yaxis, { scaleanchor: "x", constrain: "domain" });
      layout.xaxis.constrain = "domain";
    }
    return { data: dark ? plot.data.map(onDark) : plot.data, layout };
  }

  const drawn = new Set();
  function draw(element) {
    if (drawn.has(element)) return;
    drawn.add(element);
    const { data, layout } = figureOf(element, isDark());
    Plotly.newPlot(element, data, layout, config).then(() => {
      element.setAttribute("data-drawn", "true");
      hideSwitchedOff(element);
    });
  }

  // Draws again in the page's colours; what a legend has switched off stays off.
  function recolor() {
    for (const element of drawn) {
      const { data, layout } = figureOf(element, isDark());
      Plotly.react(element, data, layout, config).then(() => hideSwitchedOff(element));
    }
    for (const mark of document.querySelectorAll(".swatch")) {
      mark.dataset.mark ??= mark.style.getPropertyValue("--mark");
      mark.style.setProperty("--mark", isDark() ? markOnDark(mark.dataset.mark) : mark.dataset.mark);
    }
  }

  const plots = [...document.querySelectorAll(".plot")];
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        seen.unobserve(entry.target);
        draw(entry.target);
      }
    }
  }, { rootMargin: "600px 0px" });
  plots.forEach((plot) => seen.observe(plot));
  prefersDark.addEventListener("change", recolor);
  recolor();

  // plotly's texts are escaped for its own reading of tags.
  const decoded = (text) => String(text).replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

  // Pressing a name in a legend shows or hides its marks in all panels of the figure.
  function showSeries(plot, name, visible) {
    const traces = plot.data.flatMap((t, i) => (t.legendgroup && decoded(t.legendgroup) === name ? [i] : []));
    if (traces.length > 0) Plotly.restyle(plot, { visible }, traces);
  }
  function hideSwitchedOff(plot) {
    for (const button of plot.closest("figure").querySelectorAll('button.entry[aria-pressed="false"]')) {
      showSeries(plot, button.dataset.series, false);
    }
  }
  for (const button of document.querySelectorAll("button.entry")) {
    button.addEventListener("click", () => {
      const visible = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(visible));
      for (const plot of button.closest("figure").querySelectorAll(".plot")) {
        draw(plot);
        showSeries(plot, button.dataset.series, visible);
      }
    });
  }

  // Saving: images are always light, with their title and legend; tables have the plotted numbers.
  const titlesOf = (plot) => [
    plot.closest("figure").querySelector("h4").textContent.trim(),
    plot.closest(".panel").querySelector("h5").textContent.trim(),
  ];
  const fileName = (plot) => titlesOf(plot).join(" ").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "").slice(0, 80) || plot.id;
  const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  function saveImage(plot, format) {
    const { data, layout } = figureOf(plot, false);
    const named = data.filter((trace) => trace.name && trace.fill !== "toself");
    data.forEach((trace) => { trace.showlegend = named.includes(trace); });
    const title = titlesOf(plot).map(escaped).join("<br>");
    const box = plot.getBoundingClientRect();
    Object.assign(layout, {
      title: { text: title, font: { size: 13 }, x: 0.02, xanchor: "left", y: 0.98, yanchor: "top" },
      margin: Object.assign({}, layout.margin, { t: 56 }),
      paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff", autosize: false,
      showlegend: named.length > 0, legend: { orientation: "h", y: -0.22 },
    });
    const size = { width: Math.max(560, Math.round(box.width)), height: Math.max(340, Math.round(box.height) + 90) };
    const options = { format, filename: fileName(plot), scale: format === "png" ? 3 : 1, ...size };
    return Plotly.downloadImage({ data, layout, config: {} }, options);
  }

  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const titleOf = (axis) => decoded(axis?.title?.text ?? "");

  // What stands at a position: the label of a tick where labels are names, and the position itself where they are numbers.
  function nameAt(axis, x) {
    const at = (axis?.tickvals ?? []).findIndex((tick) => Math.abs(tick - x) < 0.5);
    const label = at < 0 ? "" : decoded(axis.ticktext[at]);
    return label === "" || !Number.isNaN(Number(label)) ? x : label;
  }
  function rowsOfSeries({ data, layout }) {
    const rows = [["series", titleOf(layout.xaxis), titleOf(layout.yaxis), "low", "high"]];
    const bands = data.filter((trace) => trace.fill === "toself");
    // A band runs along the upper ends and back along the lower ones.
    const ends = (trace, i) => {
      if (trace.error_y) {
        return [trace.y[i] - trace.error_y.arrayminus[i], trace.y[i] + trace.error_y.array[i]];
      }
      for (const band of bands.filter((b) => b.legendgroup === trace.legendgroup)) {
        const at = band.x.indexOf(trace.x[i]);
        if (at >= 0) return [band.y[band.x.length - 1 - at], band.y[at]];
      }
      return [null, null];
    };
    const places = (x) => (x === null || x === undefined ? x : Number(x.toPrecision(5)));
    for (const trace of data.filter((t) => t.fill !== "toself")) {
      trace.x.forEach((x, i) => {
        const [low, high] = trace.y[i] === null ? [null, null] : ends(trace, i);
        rows.push([decoded(trace.name), nameAt(layout.xaxis, x), trace.y[i], places(low), places(high)]);
      });
    }
    return rows;
  }
  function rowsOfGrid({ data: [map], layout }) {
    const rows = [[titleOf(layout.yaxis), titleOf(layout.xaxis), decoded(map.colorbar.title.text)]];
    map.z.forEach((row, i) => row.forEach((value, j) => rows.push([decoded(map.y[i]), decoded(map.x[j]), value])));
    return rows;
  }
  function saveTable(plot) {
    const content = contentOf(plot);
    const rows = content.data.some((trace) => trace.type === "heatmap") ? rowsOfGrid(content) : rowsOfSeries(content);
    const text = rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = fileName(plot) + ".csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
  for (const button of document.querySelectorAll("button[data-save]")) {
    button.addEventListener("click", () => {
      const plot = document.getElementById(button.getAttribute("aria-controls"));
      draw(plot);
      if (button.dataset.save === "csv") saveTable(plot);
      else saveImage(plot, button.dataset.save);
    });
  }

  for (const button of document.querySelectorAll("button.copy")) {
    const text = button.parentElement.querySelector("code, .text");
    button.addEventListener("click", () => {
      const range = document.createRange();
      range.selectNodeContents(text);
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      const copied = document.execCommand("copy");
      button.textContent = copied ? "Copied" : "Selected";
      setTimeout(() => { button.textContent = "Copy"; }, 1600);
    });
  }

  // A plot inside a folded figure has no size; it is drawn when its figure opens.
  for (const details of document.querySelectorAll("details.secondary")) {
    details.addEventListener("toggle", () => {
      if (details.open) details.querySelectorAll(".plot").forEach(draw);
    });
  }

  // Paper is white and narrower than a screen: everything unfolds, in light colours, at the width of a page.
  addEventListener("beforeprint", () => {
    isPrinted = true;
    document.querySelectorAll("details.secondary, details.prompt").forEach((details) => { details.open = true; });
    document.documentElement.classList.add("printed");
    plots.forEach(draw);
    recolor();
    plots.forEach((plot) => Plotly.relayout(plot, { width: plot.clientWidth, height: plot.clientHeight }));
  });
  addEventListener("afterprint", () => {
    isPrinted = false;
    document.documentElement.classList.remove("printed");
    recolor();
    plots.forEach((plot) => Plotly.relayout(plot, { width: null, height: null, autosize: true }));
  });

  // The contents show where the reader is.
  const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
  const here = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach((link) => link.removeAttribute("aria-current"));
      const link = links.get(entry.target.id);
      if (link) link.setAttribute("aria-current", "location");
    }
  }, { rootMargin: "-15% 0px -75% 0px" });
  document.querySelectorAll("main > section").forEach((section) => here.observe(section));
})();
