// What stands beside the images: histograms, texts to copy, the contact sheet.

function drawHistogram(canvas, levels) {
  const style = getComputedStyle(canvas);
  canvas.width = Math.round(canvas.clientWidth * devicePixelRatio) || 512;
  canvas.height = Math.round(canvas.clientHeight * devicePixelRatio) || 92;
  const context = canvas.getContext("2d");
  // One full bin, such as a black border, would flatten all others.
  const highest = Math.max([...levels].sort((a, b) => b - a)[3] * 1.25, 1);
  context.fillStyle = style.getPropertyValue("--accent");
  const width = canvas.width / 256;
  levels.forEach((count, level) => {
    const height = Math.min(count / highest, 1) * canvas.height;
    context.fillRect(level * width, canvas.height - height, Math.max(width, 1), height);
  });
}

async function copyText(area) {
  try {
    await navigator.clipboard.writeText(area.value);
    return true;
  } catch { // pages that are not trusted with the clipboard, such as some notebooks
    area.select();
    return document.execCommand("copy");
  }
}

function saveText(name, text) { // as a download of the browser
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {type: "application/json"}));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function answerBeside(button, words) { // where the eye is, for two seconds
  const out = button.closest(".text").querySelector(".done");
  out.textContent = words;
  setTimeout(() => { if (out.textContent === words) out.textContent = ""; }, 2000);
}

function whyNoText(id, preset) {
  if (preset === "mimic-cxr-jpg") return "The preset mimic-cxr-jpg has none. The command line writes this image.";
  return id === "command" ? "An array has no command line. Save the parameter file, and name your files." : "";
}

function numbersOf(text) {
  return text.split(/[,;\s]+/).filter(Boolean).map(Number);
}

function gridsOf(text) {
  return text.split(/[,;]+/).map(grid => grid.match(/\d+/g)?.map(Number)).filter(grid => grid?.length)
    .map(grid => (grid.length === 1 ? [grid[0], grid[0]] : grid.slice(0, 2)));
}

function drawSheet(box, answer, take) {
  box.replaceChildren();
  box.style.gridTemplateColumns = `repeat(${answer.columns}, minmax(104px, 1fr))`;
  for (const panel of answer.panels) {
    const button = document.createElement("button");
    button.type = "button";
    const canvas = document.createElement("canvas");
    fillCanvas(canvas, panel);
    button.append(canvas, `clip limit ${panel.clip_limit}, ${panel.tile_grid_size.join(" x ")} tiles`);
    button.dataset.values = valuesOf(panel);
    button.addEventListener("click", () => take(panel));
    box.append(button);
  }
}

const valuesOf = ({clip_limit, tile_grid_size}) => JSON.stringify([clip_limit, ...tile_grid_size]);

function markPanel(box, params) { // the picture in the sheet that has the values of the controls
  for (const button of box.children) button.setAttribute("aria-pressed", button.dataset.values === valuesOf(params));
}
