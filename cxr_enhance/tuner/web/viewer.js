// Two images of one place: side by side or as a wipe, from the whole down to single pixels.

const FARTHEST = 64; // screen pixels a pixel
const REACH = 14; // CSS pixels from the edge of a wipe within which a pointer takes hold of it

// Put bytes, row by row, into a canvas of the image's own size, which keeps them exactly.
function fillCanvas(canvas, image) {
  canvas.width = image.width;
  canvas.height = image.height;
  const source = new Uint8Array(image.pixels);
  const data = new ImageData(image.width, image.height);
  const words = new Uint32Array(data.data.buffer); // little-endian: alpha is the highest byte
  const count = image.width * image.height;
  if (image.channels === 1) {
    for (let i = 0; i < count; i++) words[i] = 0xff000000 | (source[i] * 0x10101);
  } else {
    for (let i = 0, j = 0; i < count; i++, j += 3) {
      words[i] = 0xff000000 | (source[j + 2] << 16) | (source[j + 1] << 8) | source[j];
    }
  }
  canvas.getContext("2d", {willReadFrequently: true}).putImageData(data, 0, 0);
}

function makeViewer(root, told) {
  const pictures = root.querySelector(".pictures");
  const wiper = root.querySelector(".wiper");
  const full = {before: root.querySelector("canvas.full.before"), after: root.querySelector("canvas.full.after")};
  const screens = {before: root.querySelector("figure.before canvas"), after: root.querySelector("figure.after canvas")};
  const images = {before: null, after: null};
  let zoom = null; // screen pixels a pixel of `before`; null shows the whole
  let center = {x: 0.5, y: 0.5}; // shares of the image
  let frame = 0;

  const isWipe = () => pictures.classList.contains("wipe");
  const edgeOf = at => Math.round(at.left + (at.width * wiper.value) / 100); // screen pixels
  const fitting = screen => Math.min(screen.width / images.before.width, screen.height / images.before.height);

  function place(screen) { // where the image lies on the screen, in screen pixels
    const scale = zoom ?? fitting(screen);
    const width = images.before.width * scale, height = images.before.height * scale;
    const left = Math.round(width <= screen.width ? (screen.width - width) / 2 : screen.width / 2 - center.x * width);
    const top = Math.round(height <= screen.height ? (screen.height - height) / 2 : screen.height / 2 - center.y * height);
    return {scale, left, top, width, height};
  }

  function draw() {
    frame = 0;
    for (const [name, screen] of Object.entries(screens)) {
      const box = screen.getBoundingClientRect();
      screen.width = Math.max(Math.round(box.width * devicePixelRatio), 1);
      screen.height = Math.max(Math.round(box.height * devicePixelRatio), 1);
      const context = screen.getContext("2d");
      if (!images.before || !images.after) continue;
      const at = place(screen);
      context.imageSmoothingEnabled = at.scale < 1;
      context.drawImage(full[name], at.left, at.top, at.width, at.height);
      if (name === "before" && isWipe()) {
        const edge = edgeOf(at);
        context.save();
        context.beginPath();
        context.rect(edge, 0, screen.width, screen.height);
        context.clip();
        context.drawImage(full.after, at.left, at.top, at.width, at.height);
        context.restore();
        context.fillStyle = "#ffffff";
        context.fillRect(edge - 1, 0, 2, screen.height);
      }
    }
    pictures.classList.toggle("zoomed", zoom !== null);
  }
  const drawSoon = () => { frame ||= requestAnimationFrame(draw); };

  function under(screen, event) { // the pixel of `before` below the pointer, or null
    if (!images.before) return null;
    const box = screen.getBoundingClientRect(), at = place(screen);
    const x = Math.floor(((event.clientX - box.left) * devicePixelRatio - at.left) / at.scale);
    const y = Math.floor(((event.clientY - box.top) * devicePixelRatio - at.top) / at.scale);
    return x >= 0 && y >= 0 && x < images.before.width && y < images.before.height ? {x, y} : null;
  }

  function zoomBy(factor, pixel) {
    if (!images.before) return;
    const old = place(screens.before).scale, least = fitting(screens.before);
    const next = Math.min(Math.max(old * factor, least), FARTHEST);
    if (pixel && next > least) { // the pixel stays where it is
      const share = {x: (pixel.x + 0.5) / images.before.width, y: (pixel.y + 0.5) / images.before.height};
      for (const axis of ["x", "y"]) center[axis] = share[axis] + ((center[axis] - share[axis]) * old) / next;
    }
    zoom = next <= least ? null : next;
    moveBy(0, 0);
  }

  function moveBy(right, down) { // screen pixels
    if (!images.before) return;
    const at = place(screens.before);
    center.x = Math.min(Math.max(center.x + right / at.width, 0), 1);
    center.y = Math.min(Math.max(center.y + down / at.height, 0), 1);
    drawSoon();
  }

  function isAtEdge(screen, event) { // of the wipe, or near enough to take hold of it
    if (!isWipe() || !images.before) return false;
    const x = (event.clientX - screen.getBoundingClientRect().left) * devicePixelRatio;
    return Math.abs(x - edgeOf(place(screen))) <= REACH * devicePixelRatio;
  }

  function moveEdge(screen, event) { // to the pointer
    const at = place(screen);
    const x = (event.clientX - screen.getBoundingClientRect().left) * devicePixelRatio;
    wiper.value = ((x - at.left) / at.width) * 100;
    drawSoon();
  }

  function zoomTo(scale) {
    zoom = scale;
    if (scale === null) center = {x: 0.5, y: 0.5};
    drawSoon();
  }

  for (const screen of Object.values(screens)) {
    const pointers = new Map();
    let edgePointer = null; // the pointer that holds the edge of the wipe
    screen.addEventListener("wheel", event => {
      event.preventDefault();
      zoomBy(event.deltaY < 0 ? 1.25 : 0.8, under(screen, event));
    }, {passive: false});
    screen.addEventListener("pointerdown", event => {
      pointers.set(event.pointerId, event);
      if (isAtEdge(screen, event)) edgePointer = event.pointerId;
      if (zoom !== null || edgePointer !== null) screen.setPointerCapture(event.pointerId);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      screen.addEventListener(name, event => {
        pointers.delete(event.pointerId);
        if (event.pointerId === edgePointer) edgePointer = null;
      });
    }
    screen.addEventListener("pointermove", event => {
      const last = pointers.get(event.pointerId);
      screen.classList.toggle("edge", edgePointer !== null || isAtEdge(screen, event));
      if (event.pointerId === edgePointer) moveEdge(screen, event);
      else if (last && zoom !== null) {
        moveBy((last.clientX - event.clientX) * devicePixelRatio, (last.clientY - event.clientY) * devicePixelRatio);
        pointers.set(event.pointerId, event);
      }
      told.pointed(under(screen, event));
    });
    screen.addEventListener("pointerleave", () => told.pointed(null));
    screen.addEventListener("dblclick", event => {
      const pixel = under(screen, event);
      if (zoom !== null) zoomTo(null);
      else zoomBy(1 / place(screen).scale, pixel);
    });
    screen.addEventListener("keydown", event => {
      const step = 60 * devicePixelRatio;
      const keys = {
        "+": () => zoomBy(1.25), "=": () => zoomBy(1.25), "-": () => zoomBy(0.8),
        "0": () => zoomTo(null), "1": () => zoomTo(1),
        ArrowLeft: () => moveBy(-step, 0), ArrowRight: () => moveBy(step, 0),
        ArrowUp: () => moveBy(0, -step), ArrowDown: () => moveBy(0, step),
      };
      if (keys[event.key] && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        keys[event.key]();
      }
    });
  }
  wiper.addEventListener("input", drawSoon);
  new ResizeObserver(drawSoon).observe(pictures);

  return {
    show(name, image) {
      if (name === "before" && (images.before?.width !== image.width || images.before?.height !== image.height)) zoomTo(null);
      images[name] = image;
      fillCanvas(full[name], image);
      drawSoon();
    },
    valueAt(name, pixel) { // gray level or RGB that is shown at a pixel of `before`
      const image = images[name], pixels = new Uint8Array(image.pixels);
      const x = Math.floor((pixel.x * image.width) / images.before.width);
      const y = Math.floor((pixel.y * image.height) / images.before.height);
      const start = (y * image.width + x) * image.channels;
      return [...pixels.subarray(start, start + image.channels)].join(" ");
    },
    wipe(on) {
      pictures.classList.toggle("wipe", on);
      drawSoon();
    },
    zoomBy, zoomTo,
  };
}
