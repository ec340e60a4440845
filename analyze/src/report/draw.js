// Draws the plots of this page from the JSON beside them, when they come into view; everything is drawn
// before printing. Colours of text and grid come from here, so that all plots look alike.
"use strict";
(() => {
  const ink = "#3d4451";
  const family = getComputedStyle(document.body).fontFamily;
  const axis = {
    gridcolor: "#eceef1", linecolor: "#c9ced6", zerolinecolor: "#c9ced6", zerolinewidth: 1,
    ticks: "outside", tickcolor: "#c9ced6", ticklen: 4, automargin: true,
    title: { font: { size: 12.5, color: ink }, standoff: 8 },
    tickfont: { size: 11.5, color: "#5a6270" },
  };
  const template = {
    layout: {
      font: { family, size: 12, color: ink },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      xaxis: axis, yaxis: axis, dragmode: false,
      hoverlabel: { bgcolor: "#ffffff", bordercolor: "#c9ced6", font: { family, size: 12, color: "#1b1f27" }, align: "left" },
    },
    data: { heatmap: [{ colorbar: { tickfont: { size: 11, color: "#5a6270" }, title: { font: { size: 11.5, color: ink } } } }] },
  };
  const config = { responsive: true, displayModeBar: false, displaylogo: false, doubleClick: false };
  const drawn = new Set();

  function draw(element) {
    if (drawn.has(element)) return;
    drawn.add(element);
    const plot = JSON.parse(document.getElementById(element.id + "-data").textContent);
    const layout = Object.assign({}, plot.layout, { template, autosize: true });
    for (const name of ["xaxis", "yaxis"]) {
      layout[name] = Object.assign({}, layout[name], { fixedrange: true });
      if (layout[name].showticklabels === false) layout[name].ticks = "";
    }
    // A matrix is square whatever the width that its scale leaves.
    if (element.classList.contains("square")) {
      Object.assign(layout.yaxis, { scaleanchor: "x", constrain: "domain" });
      layout.xaxis.constrain = "domain";
    }
    const done = Plotly.newPlot(element, plot.data, layout, config);
    done.then(() => element.setAttribute("data-drawn", "true"));
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

  // Pressing a name in a legend shows or hides its marks in all panels of the figure.
  for (const button of document.querySelectorAll("button.entry")) {
    button.addEventListener("click", () => {
      const visible = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(visible));
      for (const plot of button.closest("figure").querySelectorAll(".plot")) {
        draw(plot);
        const name = button.dataset.series;
        const decoded = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
        const traces = plot.data.flatMap((t, i) => (t.legendgroup && decoded(t.legendgroup) === name ? [i] : []));
        if (traces.length > 0) Plotly.restyle(plot, { visible }, traces);
      }
    });
  }

  for (const button of document.querySelectorAll("button.copy")) {
    const code = button.parentElement.querySelector("code");
    button.addEventListener("click", () => {
      const range = document.createRange();
      range.selectNodeContents(code);
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
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details.secondary").forEach((details) => { details.open = true; });
    plots.forEach(draw);
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
