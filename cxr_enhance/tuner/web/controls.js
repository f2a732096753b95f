// The controls: what they say as a choice, and how they follow one.

const RANGES = [ // name, label, least, most, step, place in a pair
  ["clip_limit", "Clip limit", 0, 16, 0.1],
  ["tiles_x", "Tiles, columns", 1, 64, 1],
  ["tiles_y", "Tiles, rows", 1, 64, 1],
  ["num_bins", "Bins (gray levels that are counted)", 2, 1024, 1],
  ["low", "Low percentile", 0, 20, 0.05],
  ["high", "High percentile", 80, 100, 0.05],
];

function rangeMarkup([name, label, least, most, step]) {
  return `<div class="control" data-of="${name}">
    <label for="${name}">${label}</label>
    <input type="range" id="${name}-range" min="${least}" max="${most}" step="${step}" aria-label="${label}">
    <input type="number" id="${name}" min="${least}" step="any">
  </div>`;
}

const CONTROLS = `
  <div class="control"><label for="preset">Preset of the command line</label>
    <select id="preset"><option value="">none</option></select></div>
  <div class="control dicom" hidden><label for="voi">VOI transform of DICOM</label>
    <select id="voi">
      <option value="auto">auto: its LUT, else its window</option><option value="window">window</option>
      <option value="lut">lut</option><option value="none">none</option>
    </select></div>
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
  let usualVoi = null; // what was chosen before a preset that has a VOI transform of its own

  for (const [name] of RANGES) {
    const range = find(`${name}-range`), number = find(name);
    range.addEventListener("input", () => { number.value = range.value; changed(); });
    number.addEventListener("input", () => {
      if (number.value !== "" && Number.isFinite(number.valueAsNumber)) {
        range.value = number.value;
        changed();
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
        voi: find("voi").value,
        preset: find("preset").value || null,
      };
    },
    follow(choice, defaults) {
      params = choice.params;
      const set = (name, value) => { find(name).value = value; find(`${name}-range`).value = value; };
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
      find("voi").value = choice.voi;
      find("preset").value = choice.preset ?? "";
      if (choice.preset !== "mimic-cxr-jpg") usualVoi = null;
      able();
    },
  };
}
