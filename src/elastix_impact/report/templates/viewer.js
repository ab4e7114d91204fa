"use strict";

// Two canvases, one over the other: the fixed image below, the moving one above, of which a mask shows the part right of
// the wipe in every plane. Both hold the same layers of structures and landmarks.

const element = (id) => document.getElementById(id);
const OPTIONS = {
  backColor: [0, 0, 0, 1], crosshairWidth: 0.25, crosshairWidthUnit: "percent", crosshairColor: [1, 0.83, 0, 1], logLevel: "error",
  isRadiologicalConvention: true, sagittalNoseLeft: true, dragMode: 3, meshThicknessOn2D: 4, showLegend: false, isColorbar: false,
};
const FIXED_LABELS = 0.4, MOVING_LABELS = 0.9;

async function volumeOf(copy, name, more) {
  return niivue.NVImage.loadFromBase64({ base64: copy.data, name: name + ".nii.gz", ...more });
}

function colourTable(structures) {
  const channel = (first) => [0, ...structures.map((one) => parseInt(one.colour.slice(first, first + 2), 16))];
  const table = { R: channel(1), G: channel(3), B: channel(5), A: [0, ...structures.map(() => 255)], labels: ["", ...structures.map((one) => one.name)] };
  return { ...table, I: table.R.map((_, number) => number) };
}

async function viewerOn(id, images, content) {
  const viewer = new niivue.Niivue(OPTIONS);
  await viewer.attachTo(id);
  viewer.pictures = [];
  for (const copy of images) {
    const picture = await volumeOf(copy, copy.name, { colormap: "gray", cal_min: 0, cal_max: 255 });
    picture.copy = copy;
    viewer.pictures.push(picture);
  }
  viewer.addVolume(viewer.pictures.at(-1));
  viewer.layers = {};
  for (const copy of content.labels) {
    const layer = await volumeOf(copy, copy.name + " structures", { opacity: 0 });
    layer.setColormapLabel(colourTable(content.structures));
    viewer.layers[copy.name] = layer;
    viewer.addVolume(layer);
  }
  if (content.landmarks.length) viewer.addMesh(viewer.loadConnectomeAsMesh(connectomeOf(content.landmarks, content.ball)));
  viewer.setSliceType(3);
  return viewer;
}

function connectomeOf(landmarks, ball) {
  const largest = Math.max(...landmarks.map((one) => one.error), 1e-3);
  const nodes = landmarks.map(({ name, place, error }) => ({ name, x: place[0], y: place[1], z: place[2], colorValue: Math.max(error, 1e-3 * largest), sizeValue: 1 }));
  return { name: "landmarks", nodeColormap: "viridis", nodeMinColor: 0, nodeMaxColor: largest, nodeScale: ball, nodes, edges: [], showLegend: false };
}

function setWindow(viewer, width, level) {
  for (const picture of viewer.pictures) {
    const { low, step } = picture.copy;
    picture.cal_min = (level - width / 2 - low) / step;
    picture.cal_max = (level + width / 2 - low) / step;
  }
  viewer.updateGLVolume();
}

function wipe(front) {
  const share = Number(element("wipe").value) / 100, scale = front.uiData.dpr || 1;
  const parts = front.screenSlices.map(({ leftTopWidthHeight: box }) => {
    const [left, top, width, height] = box.map((length) => length / scale);
    return `linear-gradient(#000 0 0) ${left + share * width}px ${top}px / ${(1 - share) * width}px ${height}px no-repeat`;
  });
  front.canvas.style.mask = parts.join(", ");
}

function follow(front, back) {
  front.sync = () => {
    front.doSync2d(back);
    front.doSync3d(back);
    back.drawScene();
    wipe(front);
  };
}

function setLayers(viewers) {
  const before = element("which").value === "1", outlines = element("moving-labels").checked;
  const shown = {
    fixed: element("fixed-labels").checked ? FIXED_LABELS : 0,
    before: outlines && before ? MOVING_LABELS : 0,
    after: outlines && !before ? MOVING_LABELS : 0,
  };
  for (const viewer of viewers) {
    for (const [name, layer] of Object.entries(viewer.layers)) layer.opacity = shown[name];
    for (const mesh of viewer.meshes) mesh.visible = element("landmarks").checked;
    viewer.updateGLVolume();
  }
}

function showWindow(id, viewer) {
  const { width, level, window } = viewer.pictures[0].copy;
  element(id + "-window").textContent = `${id}: ${window}`;
  element(id + "-width").value = Number(width.toPrecision(4));
  element(id + "-level").value = Number(level.toPrecision(4));
  const change = () => setWindow(viewer, Math.max(Number(element(id + "-width").value), 1e-6), Number(element(id + "-level").value));
  element(id + "-width").addEventListener("input", change);
  element(id + "-level").addEventListener("input", change);
  change();
}

function connect(back, front) {
  const viewers = [back, front], on = (id, event, action) => element(id).addEventListener(event, action);
  on("wipe", "input", () => wipe(front));
  on("view", "change", () => viewers.forEach((one) => one.setSliceType(Number(element("view").value))));
  for (const id of ["fixed-labels", "moving-labels", "landmarks"]) on(id, "change", () => setLayers(viewers));
  on("which", "change", () => {
    const shown = front.volumes[0], wanted = front.pictures[Number(element("which").value) - 1];
    front.addVolume(wanted);
    front.setVolume(wanted, 0);
    front.setVolume(shown, -1);
    setLayers(viewers);
  });
  showWindow("fixed", back);
  showWindow("moving", front);
  setLayers(viewers);
}

function legend(structures) {
  element("legend").hidden = structures.length === 0;
  for (const { name, colour } of structures) {
    const item = document.createElement("li"), swatch = document.createElement("span");
    swatch.style.background = colour;
    item.append(swatch, name);
    element("legend").querySelector("ul").append(item);
  }
}

async function show(content) {
  try {
    const [fixed, before, after] = content.images;
    const back = await viewerOn("fixed", [fixed], content), front = await viewerOn("moving", [before, after], content);
    legend(content.structures);
    for (const id of ["fixed-labels", "moving-labels"]) element(id).disabled = content.labels.length === 0;
    element("landmarks").disabled = content.landmarks.length === 0;
    connect(back, front);
    follow(front, back);
    front.drawScene();
    document.body.dataset.volumes = String(content.images.length);
    document.body.dataset.layers = String(Object.keys(front.layers).length + front.meshes.length);
  } catch (error) {
    element("message").textContent = "The volumes can't be shown: " + error + ". The viewer needs a browser with WebGL 2.";
  }
}
