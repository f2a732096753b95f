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
    button.addEventListener("click", () => take(panel));
    box.append(button);
  }
}
