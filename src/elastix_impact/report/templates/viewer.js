"use strict";

async function show(volumes) {
  const element = (id) => document.getElementById(id);
  try {
    const viewer = new niivue.Niivue({ backColor: [0, 0, 0, 1], crosshairWidth: 0.5, isRadiologicalConvention: true, logLevel: "error" });
    await viewer.attachToCanvas(element("canvas"));
    for (const [number, volume] of volumes.entries()) {
      const image = await niivue.NVImage.loadFromBase64({
        base64: volume.data, name: volume.name + ".nii.gz", colormap: number ? "green" : "gray", cal_min: 0, cal_max: 255,
      });
      viewer.addVolume(image);
    }
    const blend = () => {
      const chosen = Number(element("which").value);
      for (const other of [1, 2]) {
        viewer.setOpacity(other, other === chosen ? Number(element("opacity").value) : 0);
        viewer.setColormap(viewer.volumes[other].id, element("colour").value);
      }
    };
    element("which").addEventListener("change", blend);
    element("opacity").addEventListener("input", blend);
    element("colour").addEventListener("change", blend);
    element("view").addEventListener("change", () => viewer.setSliceType(Number(element("view").value)));
    viewer.setSliceType(3);
    blend();
    document.body.dataset.volumes = String(viewer.volumes.length);
  } catch (error) {
    element("message").textContent = "The volumes can't be shown: " + error + ". The viewer needs a browser with WebGL 2.";
  }
}
