// Draws the server's masks (a box and a PNG of one bit per pixel) on canvases.

// A canvas of white pixels where the mask is, transparent elsewhere.
export async function decoded(shown) {
  if (!shown) return null;
  const bytes = Uint8Array.from(atob(shown.png), (letter) => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const words = new Uint32Array(pixels.data.buffer);
  for (let index = 0; index < words.length; index += 1) words[index] = words[index] & 0xff ? 0xffffffff : 0;
  context.putImageData(pixels, 0, 0);
  return { box: shown.box, canvas };
}

const RING = [[-1, -1], [0, -1], [1, -1], [-1, 0], [1, 0], [-1, 1], [0, 1], [1, 1]];
let scratch = null;

// Draws a mask in a colour. `place` maps x, y of the photo to x, y of the context; `fill` is the opacity inside.
export function drawMask(context, mask, place, colour, fill, line = 2) {
  if (!mask) return;
  const { width, height } = context.canvas;
  const [x0, y0] = place(mask.box[0], mask.box[1]);
  const [x1, y1] = place(mask.box[2], mask.box[3]);
  if (x1 < 0 || y1 < 0 || x0 > width || y0 > height) return;
  if (!scratch || scratch.width < width || scratch.height < height) scratch = new OffscreenCanvas(width, height);
  const layer = scratch.getContext("2d");
  const draw = (dx, dy) => layer.drawImage(mask.canvas, x0 + dx, y0 + dy, x1 - x0, y1 - y0);
  const coloured = (ink, alpha) => {
    layer.globalCompositeOperation = "source-in";
    layer.fillStyle = ink;
    layer.fillRect(0, 0, scratch.width, scratch.height);
    layer.globalCompositeOperation = "source-over";
    context.globalAlpha = alpha;
    context.drawImage(scratch, 0, 0, width, height, 0, 0, width, height);
    context.globalAlpha = 1;
    layer.clearRect(0, 0, scratch.width, scratch.height);
  };
  layer.clearRect(0, 0, scratch.width, scratch.height);
  if (fill > 0) {
    draw(0, 0);
    coloured(colour, fill);
  }
  if (line > 0) {
    for (const [dx, dy] of RING) draw(dx * line, dy * line);
    layer.globalCompositeOperation = "destination-out";
    draw(0, 0);
    coloured(colour, 1);
  }
}

// A thumbnail of one mask in the box of several, for choosing among them.
export function drawSmall(canvas, mask, boxes, colour) {
  const x0 = Math.min(...boxes.map((box) => box[0])), y0 = Math.min(...boxes.map((box) => box[1]));
  const side = Math.max(1, ...boxes.map((box) => Math.max(box[2] - x0, box[3] - y0)));
  const scale = (canvas.width - 8) / side;
  drawMask(canvas.getContext("2d"), mask, (x, y) => [4 + (x - x0) * scale, 4 + (y - y0) * scale], colour, 1, 0);
}
