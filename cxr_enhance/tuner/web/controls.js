// The controls: what they say as a choice, and how they follow one.

const RANGES = [ // name, label, least, most, step, place in a pair
  ["clip_limit", "Clip limit", 0, 16, 0.1],
  ["tiles_x", "Tiles, columns", 1, 64, 1],
  ["tiles_y", "Tiles, rows", 1, 64, 1],
  ["num_bins", "Bins (gray levels that are counted)", 2, 1024, 1],
  ["low", "Low percentile", 0, 20, 0.05],
  ["high", "High percentile", 80, 100, 0.05],
];

const WINDOW = [["center", "Window center"], ["width", "Window width"]]; // limits are those of the file

function rangeMarkup([name, label, least, most, step]) {
  return `<div class="control" data-of="${name}">
    <label for="${name}">${label}</label>
    <input type="range" id="${name}-range" min="${least}" max="${most}" step="${step}" aria-label="${label}">
    <input type="number" id="${name}" min="${least}" step="any">
  </div>`;
}

const PRESETS = { // by name, what the list says of them
  study: "study: 224 x 224, resized first",
  "mimic-cxr-jpg": "mimic-cxr-jpg: no controls below",
};

const CONTROLS = `
  <div class="control"><label for="preset">Preset (--preset)</label>
    <select id="preset"><option value="">none</option></select></div>
  <div class="dicom" hidden>
    <div class="control"><label for="voi">VOI transform of DICOM</label>
      <select id="voi">
        <option value="auto">auto: its LUT, else its window</option><option value="window">window</option>
        <option value="lut">lut</option><option value="none">none</option>
        <option value="chosen">the window below</option>
      </select></div>
    <div class="window">${WINDOW.map(([name, label]) => rangeMarkup([name, label, "", "", "any"])).join("")}</div>
  </div>
  <fieldset class="chain"><legend>White balance</legend>
    <label class="tick"><input type="checkbox" id="white_balance">stretch between percentiles</label>
    ${RANGES.slice(4).map(rangeMarkup).join("")}
  </fieldset>
  <fieldset class="chain"><legend>CLAHE</legend>
    <label class="tick"><input type="checkbox" id="clahe">equalize tile by tile</label>
    ${RANGES.slice(0, 3).map(rangeMarkup).join("")}
    ${rangeMarkup(RANGES[3])}
    <label class="tick"><input type="checkbox" id="all_bins">count every value, as OpenCV does</label>
  </fieldset>
  <div class="buttons">
    <button type="button" id="reset">Defaults</button>
    <button type="button" id="open_params">Open parameter file</button>
    <input type="file" id="params_file" accept=".json,application/json">
  </div>`;

function makeControls(root, changed) {
  const find = id => root.querySelector(`#${id}`);
  let params = null; // options that have no control stay as they are
  let ownWindow = null; // of the file that is open, or all its values
  let usualVoi = null; // what was chosen before a preset that has a VOI transform of its own

  for (const [name] of [...RANGES, ...WINDOW]) {
    const range = find(`${name}-range`), number = find(name);
    const moved = () => {
      if (WINDOW.some(([ofWindow]) => ofWindow === name)) find("voi").value = "chosen";
      changed();
    };
    range.addEventListener("input", () => { number.value = range.value; moved(); });
    number.addEventListener("input", () => {
      if (number.value !== "" && Number.isFinite(number.valueAsNumber)) {
        range.value = number.value;
        moved();
      }
    });
    number.addEventListener("change", () => { // what is no number goes back to the slider's
      if (!Number.isFinite(number.valueAsNumber)) number.value = range.value;
    });
  }
  for (const id of ["white_balance", "clahe", "all_bins", "voi", "preset"]) {
    find(id).addEventListener("change", () => {
      if (id === "preset") followPreset();
      able();
      changed();
    });
  }

  const set = (name, value) => { find(name).value = value; find(`${name}-range`).value = value; };
  const isChosen = () => find("voi").value === "chosen";
  const chosenWindow = () => [find("center").valueAsNumber, find("width").valueAsNumber];

  function setWindow(window) { // sliders reach over the values of the file, its window and this one
    const {own, low, high} = ownWindow ?? {own: window, low: window[0], high: window[0]};
    const reach = Math.max(high - low, own[1], window[1]);
    const step = 10 ** Math.floor(Math.log10(reach / 1000));
    const limits = {
      center: [Math.min(low, own[0], window[0]), Math.max(high, own[0], window[0])],
      width: [0, reach],
    };
    for (const [name, [least, most]] of Object.entries(limits)) {
      const range = find(`${name}-range`);
      range.min = Math.max(Math.floor(least / step) * step, name === "width" ? step : -Infinity);
      range.max = most;
      range.step = step;
    }
    set("center", window[0]);
    set("width", window[1]);
  }

  function followPreset() {
    const voi = find("voi"), recipe = find("preset").value === "mimic-cxr-jpg";
    if (recipe) [usualVoi, voi.value] = [voi.value, "none"];
    else if (usualVoi !== null) {
      if (voi.value === "none") voi.value = usualVoi;
      usualVoi = null;
    }
  }

  function able() { // what has no effect cannot be changed
    const recipe = find("preset").value === "mimic-cxr-jpg";
    const off = {
      clip_limit: !find("clahe").checked, tiles_x: !find("clahe").checked, tiles_y: !find("clahe").checked,
      num_bins: !find("clahe").checked || find("all_bins").checked || params?.bit_shift > 0,
      low: !find("white_balance").checked, high: !find("white_balance").checked,
    };
    for (const [name, isOff] of Object.entries(off)) {
      find(name).disabled = find(`${name}-range`).disabled = isOff || recipe;
    }
    find("all_bins").disabled = !find("clahe").checked || recipe || params?.bit_shift > 0;
    find("white_balance").disabled = find("clahe").disabled = recipe;
  }

  return {
    find,
    choice() {
      const value = name => find(name).valueAsNumber;
      return {
        params: {
          ...params,
          percentiles: find("white_balance").checked ? [value("low"), value("high")] : null,
          clip_limit: find("clahe").checked ? value("clip_limit") : null,
          tile_grid_size: [Math.round(value("tiles_x")), Math.round(value("tiles_y"))],
          num_bins: find("all_bins").checked ? null : Math.round(value("num_bins")),
        },
        voi: isChosen() ? "auto" : find("voi").value,
        window: isChosen() ? chosenWindow() : null,
        preset: find("preset").value || null,
      };
    },
    offer(windows) { // those of a file that was opened; null where it has none
      ownWindow = windows;
      root.querySelector(".window").hidden = !windows;
      if (windows) setWindow(isChosen() ? chosenWindow() : windows.own);
    },
    follow(choice, defaults) {
      params = choice.params;
      const [low, high] = params.percentiles ?? defaults.percentiles;
      set("low", low);
      set("high", high);
      set("clip_limit", params.clip_limit ?? defaults.clip_limit);
      set("tiles_x", params.tile_grid_size[0]);
      set("tiles_y", params.tile_grid_size[1]);
      set("num_bins", params.num_bins ?? defaults.num_bins);
      find("white_balance").checked = params.percentiles !== null;
      find("clahe").checked = params.clip_limit !== null;
      find("all_bins").checked = params.num_bins === null;
      find("voi").value = choice.window ? "chosen" : choice.voi;
      const window = choice.window ?? ownWindow?.own;
      if (window) setWindow(window);
      find("preset").value = choice.preset ?? "";
      if (choice.preset !== "mimic-cxr-jpg") usualVoi = null;
      able();
    },
  };
}
