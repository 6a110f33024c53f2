// A photo is made small before it is sent: telephones make files of many megabytes, and the network is slow.
// Without this file, or where the browser cannot read the photo, the original is sent.
"use strict";

const LONG_SIDE = 1600; // pixels
const ENOUGH = 200_000; // bytes
const QUALITIES = [0.85, 0.75, 0.65, 0.55, 0.45];

const draw = (bitmap, longSide) => {
  const scale = Math.min(1, longSide / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const pen = canvas.getContext("2d");
  // What is transparent would become black.
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
};
const toJpeg = (canvas, quality) => new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));

// The photo in at most ENOUGH bytes: worse first, then smaller.
const shrink = async (file) => {
  const bitmap = await createImageBitmap(file);
  let blob = null;
  for (let longSide = LONG_SIDE; longSide > 200; longSide *= 0.75) {
    const canvas = draw(bitmap, longSide);
    for (const quality of QUALITIES) {
      blob = await toJpeg(canvas, quality);
      if (blob && blob.size <= ENOUGH) return new File([blob], "photo.jpg", { type: "image/jpeg" });
    }
  }
  throw new Error("This photo stays too large.");
};

const put = (input, file) => {
  const files = new DataTransfer();
  files.items.add(file);
  input.files = files.files;
};

for (const input of document.querySelectorAll("input[data-photo]")) {
  const preview = document.getElementById(input.dataset.photo);
  const picture = preview.querySelector("img");
  const caption = preview.querySelector("figcaption");
  let work = null;

  const show = (file, text) => {
    URL.revokeObjectURL(picture.src);
    picture.src = URL.createObjectURL(file);
    caption.textContent = text.replace("#", Math.ceil(file.size / 1000));
    picture.hidden = false;
  };
  const prepare = async (file) => {
    try {
      const small = await shrink(file);
      if (input.files[0] !== file) return; // another one was chosen meanwhile
      put(input, small);
      show(small, caption.dataset.ready);
    } catch {
      show(file, caption.dataset.failed);
    }
  };
  input.addEventListener("change", () => {
    const [file] = input.files;
    preview.hidden = !file;
    if (!file) return;
    picture.hidden = true;
    caption.textContent = caption.dataset.busy;
    const mine = prepare(file).finally(() => {
      if (work === mine) work = null;
    });
    work = mine;
  });
  // Whoever is quicker than the canvas waits for it.
  input.form.addEventListener("submit", async (event) => {
    if (!work) return;
    event.preventDefault();
    await work;
    input.form.requestSubmit(event.submitter);
  });
}
