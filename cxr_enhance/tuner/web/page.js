// The page: its parts, what it asks the library for, and what it does with the answers.

const PART = 1 << 20; // bytes of a dropped file that are sent at once
const SHARE_HELP = "Share of the tile's pixels that lie above the clip limit in its histogram: what CLAHE " +
  "cuts off and spreads over all gray levels. 0 %: the limit has no effect in this tile.";

const MARKUP = `
  <div class="bar">
    <button type="button" id="open">Open file</button>
    <input type="file" id="file">
    <button type="button" id="previous" aria-keyshortcuts="PageUp">Previous</button>
    <button type="button" id="next" aria-keyshortcuts="PageDown">Next</button>
    <span class="place"></span>
    <span class="name"></span> <span class="description"></span> <span class="space"></span>
    <button type="button" id="wipe" aria-pressed="false">Wipe</button>
    <button type="button" id="farther" aria-label="Zoom out">−</button>
    <button type="button" id="nearer" aria-label="Zoom in">+</button>
    <button type="button" id="pixels">1:1</button>
    <button type="button" id="whole">Whole</button>
  </div>
  <div class="view">
    <div class="message" role="status"></div>
    <div class="pictures">
      <figure class="before"><figcaption>before</figcaption>
        <canvas class="screen" tabindex="0" role="img" aria-label="The image before"></canvas></figure>
      <figure class="after"><figcaption>after</figcaption>
        <canvas class="screen" tabindex="0" role="img" aria-label="The image after"></canvas></figure>
    </div>
    <input type="range" class="wiper" min="0" max="100" step="0.5" value="50" aria-label="Edge between before and after">
    <div class="readout" title="${SHARE_HELP}"></div>
    <canvas class="full before"></canvas><canvas class="full after"></canvas>
  </div>
  <div class="side">${CONTROLS}</div>
  <div class="below">
    <div class="histograms">
      <figure><canvas class="levels before" role="img" aria-label="Histogram before"></canvas><figcaption>gray levels before</figcaption></figure>
      <figure><canvas class="levels after" role="img" aria-label="Histogram after"></canvas><figcaption>gray levels after</figcaption></figure>
    </div>
    <div class="texts">
      ${[["python", "Python"], ["command", "Command line"], ["params", "Parameter file, for --params and EnhanceParams.from_json"]]
        .map(([id, label]) => `<div class="text"><label for="${id}">${label}</label><span class="done" role="status"></span>
          <textarea id="${id}" readonly rows="2" spellcheck="false"></textarea>
          <div class="buttons"><button type="button" id="copy-${id}" aria-label="Copy: ${label}">Copy</button>
          ${id === "params" ? '<button type="button" id="save" aria-label="Save the parameter file">Save</button>' : ""}</div></div>`).join("")}
    </div>
    <details><summary>Contact sheet</summary>
      <div class="ways">
        <label>Clip limits<input type="text" id="limits" value="1, 2, 4, 8"></label>
        <label>Grids, columns x rows<input type="text" id="grids" value="4 x 4, 8 x 8, 16 x 16"></label>
        <button type="button" id="draw">Draw</button>
      </div>
      <div class="sheet"></div>
    </details>
    <p class="help">Open or drop PNG, JPEG, TIFF or DICOM. Wheel or + and - zoom, 1 shows single pixels, 0 the
      whole, arrows move, double click zooms there; Page Up and Page Down change the file, w wipes.
      Drag the white edge of the wipe to move it.
      Pixels are the library's own; of 16 bits the upper eight that the image fills are shown.
      <span title="${SHARE_HELP}">"clipped": share of the tile's pixels above the clip limit.</span></p>
  </div>`;

export function render({model}) {
  const root = document.createElement("div");
  root.className = "tuner";
  root.innerHTML = MARKUP;
  const find = selector => root.querySelector(selector);
  const waiting = new Map();
  let number = 0, defaults = null, isOpen = false, images = {}, tiles = null, sent = 0;
  let wanted = false, rendering = false, tilesTimer = 0, uploads = 0;

  const viewer = makeViewer(root, {pointed});
  const controls = makeControls(root, changed);

  function ask(message) {
    const id = ++number;
    setTimeout(() => { if (waiting.has(id)) lookForProgram(); }, 2000);
    return new Promise(resolve => {
      waiting.set(id, resolve);
      model.send_msg({...message, id});
    });
  }
  function lookForProgram() { // what still works answers, however late
    fetch(location.href, {method: "HEAD"}).catch(() => say("The program behind this page has ended. Start it again.", true));
  }
  model.on("msg:custom", answer => {
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });

  function say(text, isError = false) {
    find(".message").textContent = text;
    find(".message").classList.toggle("error", isError);
  }

  function take(answer) { // show whatever an answer holds
    if (answer.name !== undefined) {
      find(".name").textContent = answer.name;
      find(".description").textContent = answer.description;
      const hadSheet = find(".sheet").childElementCount > 0;
      find(".sheet").replaceChildren(); // its pictures were those of another image
      if (hadSheet && find("details").open) draw();
      find(".dicom").hidden = !answer.is_dicom;
      controls.offer(answer.windows);
      isOpen = true;
    }
    if (answer.choice) controls.follow(answer.choice, defaults);
    if (answer.index !== undefined) {
      find("#previous").disabled = answer.index <= 0;
      find("#next").disabled = answer.index + 1 >= answer.count;
      const isOfFiles = answer.index >= 0 && answer.count > 1 && answer.ask !== "upload";
      find(".place").textContent = isOfFiles ? `${answer.index + 1} of ${answer.count}` : "";
    }
    for (const name of ["before", "after"]) {
      if (!answer[name]) continue;
      images[name] = answer[name];
      viewer.show(name, answer[name]);
    }
    drawHistograms();
    for (const [id, text] of Object.entries(answer.texts ?? {})) {
      find(`#${id}`).value = text;
      find(`#copy-${id}`).disabled = !text;
      find(`#${id}`).placeholder = text ? "" : whyNoText(id, controls.choice().preset);
      if (id === "params") find("#save").disabled = !text;
    }
    if (answer.error) say(answer.error, true);
    else say([...(answer.notes ?? []), ...(answer.hints ?? []), answer.note].filter(Boolean).join(" "));
    if (answer.after) {
      root.dataset.shown = sent;
      tiles = null;
      clearTimeout(tilesTimer);
      tilesTimer = setTimeout(askTiles, 150);
    }
  }

  function drawHistograms() {
    for (const [name, {levels}] of Object.entries(images)) drawHistogram(find(`canvas.levels.${name}`), levels);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawHistograms); // other colours

  async function changed() { // one question at a time; the last one counts
    wanted = true;
    markPanel(find(".sheet"), controls.choice().params);
    if (rendering || !isOpen) return;
    rendering = true;
    while (wanted) {
      wanted = false;
      sent++;
      const began = performance.now();
      take(await ask({ask: "render", choice: controls.choice()}));
      root.dataset.milliseconds = Math.round(performance.now() - began);
    }
    rendering = false;
  }

  async function askTiles() {
    const answer = await ask({ask: "tiles", choice: controls.choice()});
    tiles = answer.shares ? answer : null;
    root.dataset.tiles = sent;
  }

  function pointed(pixel) {
    const out = find(".readout");
    if (!pixel || !images.after) {
      out.textContent = "";
      return;
    }
    let text = `${pixel.x}, ${pixel.y}: ${viewer.valueAt("before", pixel)} → ${viewer.valueAt("after", pixel)}`;
    if (tiles) {
      const column = Math.floor(pixel.x / tiles.tile[0]), row = Math.floor(pixel.y / tiles.tile[1]);
      const share = tiles.shares[row]?.[column];
      if (share !== undefined) text += `; tile ${column + 1}, ${row + 1}: ${(share * 100).toFixed(1)} % clipped`;
    }
    out.textContent = text;
  }

  async function step(by) {
    const slow = setTimeout(() => say(`Reading the ${by > 0 ? "next" : "previous"} file`), 300);
    const answer = await ask({ask: "step", by});
    clearTimeout(slow);
    take(answer);
  }

  async function openFile(file) { // a file that is opened later takes the place of one being sent
    if (!file) return;
    const mine = ++uploads;
    try {
      if (/\.json$/i.test(file.name)) {
        take(await ask({ask: "params", name: file.name, text: await file.text()}));
        return;
      }
      say(`Reading ${file.name}`);
      for (let start = 0; start === 0 || start < file.size; start += PART) {
        const data = await file.slice(start, start + PART).arrayBuffer();
        if (mine !== uploads) return;
        const last = start + PART >= file.size;
        const answer = await ask({ask: "upload", name: file.name, data, first: start === 0, last});
        if (last || answer.error) {
          take(answer);
          return;
        }
      }
    } catch (error) { // a folder, or a file that is gone
      say(`The browser cannot read ${file.name} (${error.message}). Open a file; name folders on the command line.`, true);
    }
  }

  function wipe() {
    const on = find("#wipe").getAttribute("aria-pressed") !== "true";
    find("#wipe").setAttribute("aria-pressed", on);
    find("figure.before figcaption").textContent = on ? "before, left of the edge; after, right of it" : "before";
    viewer.wipe(on);
  }

  async function draw() {
    const answer = await ask({ask: "sheet", choice: controls.choice(), limits: numbersOf(find("#limits").value), grids: gridsOf(find("#grids").value)});
    if (answer.error) {
      say(answer.error, true);
      return;
    }
    const chosen = controls.choice().params;
    drawSheet(find(".sheet"), answer, panel => {
      const choice = controls.choice();
      Object.assign(choice.params, {clip_limit: panel.clip_limit, tile_grid_size: panel.tile_grid_size});
      controls.follow(choice, defaults);
      changed();
      find(".pictures").scrollIntoView({block: "nearest"});
    });
    markPanel(find(".sheet"), chosen);
  }

  const clicks = {
    open: () => find("#file").click(), open_params: () => find("#params_file").click(),
    previous: () => step(-1), next: () => step(1), wipe, draw,
    farther: () => viewer.zoomBy(0.8), nearer: () => viewer.zoomBy(1.25),
    pixels: () => viewer.zoomTo(1), whole: () => viewer.zoomTo(null),
    reset: () => { controls.follow({params: defaults, voi: "auto", window: null, preset: null}, defaults); changed(); },
  };
  for (const [id, act] of Object.entries(clicks)) find(`#${id}`).addEventListener("click", act);
  for (const id of ["file", "params_file"]) {
    find(`#${id}`).addEventListener("change", event => {
      openFile(event.target.files[0]);
      event.target.value = "";
    });
  }
  for (const id of ["python", "command", "params"]) {
    find(`#copy-${id}`).addEventListener("click", async () => {
      const done = await copyText(find(`#${id}`));
      if (done) answerBeside(find(`#copy-${id}`), "Copied.");
      else say("The browser does not allow copying; the text is selected.", true);
    });
  }
  find("#save").addEventListener("click", () => {
    saveText("params.json", `${find("#params").value}\n`);
    answerBeside(find("#save"), "Saved as params.json.");
  });
  find("details").addEventListener("toggle", event => {
    if (event.target.open && isOpen && !find(".sheet").childElementCount) draw();
  });
  root.addEventListener("keydown", event => {
    if (/INPUT|TEXTAREA|SELECT/.test(event.target.tagName) && event.target.type !== "range") return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {PageDown: () => step(1), PageUp: () => step(-1), w: wipe};
    if (event.target.type === "range" && event.key !== "w") return;
    if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  });
  root.addEventListener("dragover", event => { event.preventDefault(); root.classList.add("dropping"); });
  root.addEventListener("dragleave", () => root.classList.remove("dropping"));
  root.addEventListener("drop", event => {
    event.preventDefault();
    root.classList.remove("dropping");
    openFile(event.dataTransfer.files[0]);
  });

  ask({ask: "start"}).then(answer => {
    defaults = answer.defaults;
    for (const preset of answer.presets) find("#preset").add(new Option(PRESETS[preset] ?? preset, preset));
    take(answer);
    root.dataset.ready = "yes";
    if (!isOpen && !answer.error) say("Open or drop a file to begin.");
  });
  return root;
}
