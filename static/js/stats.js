// Charts that answer to a finger, in place of the bars the server drew. Without scripts those stay.
"use strict";

(() => {
  const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
  // A custom property holds light-dark() as written; a real one holds the colour it comes to.
  function used(name) {
    const probe = document.createElement("i");
    probe.hidden = false;
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found || colour(name);
  }

  function options(data) {
    const [ink, soft, line, accent, sheet] = ["--ink", "--ink-soft", "--line", "--accent", "--sheet"].map(used);
    const looks = [
      { type: "bar", itemStyle: { color: accent, opacity: 0.28 }, barGap: "-100%", barMaxWidth: 28 },
      { type: "line", itemStyle: { color: soft }, lineStyle: { width: 1.5 }, symbol: "none" },
      { type: "bar", itemStyle: { color: accent }, barMaxWidth: 28, z: 3 },
      { type: "line", itemStyle: { color: soft }, lineStyle: { width: 1.5, type: "dashed" }, symbol: "none" },
    ];
    return {
      animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      animationDuration: 250,
      grid: { left: 4, right: 4, top: 34, bottom: 4, containLabel: true },
      textStyle: { color: soft, fontFamily: getComputedStyle(document.body).fontFamily },
      legend: { top: 0, left: 0, itemWidth: 12, itemHeight: 12, textStyle: { color: soft } },
      // Drawn on the canvas: our policy lets no script write styles into the page.
      tooltip: { trigger: "axis", renderMode: "richText", confine: true, backgroundColor: sheet, borderColor: line, textStyle: { color: ink } },
      xAxis: { type: "category", data: data.labels, axisTick: { show: false }, axisLine: { lineStyle: { color: line } }, axisLabel: { color: soft, hideOverlap: true } },
      yAxis: { type: "value", minInterval: 1, splitLine: { lineStyle: { color: line } }, axisLabel: { color: soft } },
      series: data.series.map((one, index) => ({ ...one, ...looks[index] })),
    };
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (!window.echarts) return;
    for (const place of document.querySelectorAll("[data-chart]")) {
      const still = place.nextElementSibling;
      const words = place.previousElementSibling;
      place.hidden = false;
      const chart = echarts.init(place);
      const draw = () => chart.setOption(options(JSON.parse(place.dataset.chart)), true);
      draw();
      still.hidden = words.hidden = true;
      new ResizeObserver(() => chart.resize()).observe(place);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    }
  });
})();
