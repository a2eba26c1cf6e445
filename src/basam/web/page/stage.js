// The photo in OpenSeadragon, and a canvas over it. Handles pixels and pointers, not objects or the server.

import { drawMask } from "./masks.js";

// A pointer that moves fewer screen pixels than this is a click, more is a drag, however long it is pressed.
const SHAKE = 6, LONGEST_CLICK = 60000;

export class Stage {
  // `on`: point(x, y, label), box(x0, y0, x1, y1), hover(x, y) and leave(), in pixels of the photo.
  constructor(element, canvas, on) {
    this.canvas = canvas;
    this.on = on;
    this.tool = "point";
    this.held = false;
    this.scene = { objects: [], active: null };
    this.crosshair = null;
    this.corner = null; // the first of a box by keys
    this.rubber = null;
    this.viewer = OpenSeadragon({
      element, drawer: "canvas", showNavigationControl: false, animationTime: 0.25, maxZoomPixelRatio: 16, visibilityRatio: 0.3,
      minZoomImageRatio: 0.7, springStiffness: 12, clickDistThreshold: SHAKE, clickTimeThreshold: LONGEST_CLICK, zoomPerScroll: 1.3, imageSmoothingEnabled: true, tabIndex: -1,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: false, flickEnabled: false },
      gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: false },
      gestureSettingsPen: { clickToZoom: false, dblClickToZoom: false },
    });
    this.viewer.innerTracker.keyHandler = null;
    this.viewer.innerTracker.keyDownHandler = null;
    this.listen(element);
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  listen(element) {
    const { viewer } = this;
    for (const name of ["update-viewport", "open", "resize"]) viewer.addHandler(name, () => this.draw());
    viewer.addHandler("canvas-click", (event) => {
      if (!event.quick || this.moving()) return;
      const { altKey, ctrlKey } = event.originalEvent;
      this.point(event.position, altKey || ctrlKey || this.tool === "not" ? 0 : 1);
    });
    viewer.addHandler("canvas-contextmenu", (event) => {
      event.preventDefault = true;
      event.originalEvent.preventDefault();
      if (!this.moving()) this.point(event.position, 0);
    });
    viewer.addHandler("canvas-press", (event) => { this.pressed = event.position; });
    viewer.addHandler("canvas-drag", (event) => {
      if (!this.boxes(event.pointerType)) return;
      event.preventDefaultAction = true;
      if (!this.rubber && this.pressed.distanceTo(event.position) <= SHAKE) return;
      this.rubber = [this.pixel(this.pressed), this.pixel(event.position)];
      this.draw();
    });
    viewer.addHandler("canvas-drag-end", (event) => {
      if (!this.rubber) return;
      event.preventDefaultAction = true;
      const [[ax, ay], [bx, by]] = this.rubber;
      this.rubber = null;
      this.draw();
      const box = [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
      if (box[2] - box[0] >= 2 && box[3] - box[1] >= 2) this.on.box(...box);
    });
    element.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "mouse" || event.buttons || this.moving()) return this.on.leave();
      const frame = element.getBoundingClientRect();
      const place = new OpenSeadragon.Point(event.clientX - frame.left, event.clientY - frame.top);
      return this.holds(place) ? this.on.hover(...this.pixel(place)) : this.on.leave();
    });
    element.addEventListener("pointerleave", () => this.on.leave());
  }

  moving() { return this.tool === "move" || this.held; }

  boxes(pointer) { return !this.moving() && this.size && (this.tool === "box" || pointer === "mouse"); }

  open(photo, tileSize, address) {
    let levels = 1;
    for (let side = Math.max(photo.width, photo.height); side > tileSize; side = Math.ceil(side / 2)) levels += 1;
    this.size = [photo.width, photo.height];
    this.crosshair = this.corner = null;
    return new Promise((resolve) => {
      this.viewer.addOnceHandler("open", resolve);
      this.viewer.open({ width: photo.width, height: photo.height, tileSize, maxLevel: levels - 1, minLevel: 0, getTileUrl: address });
    });
  }

  // x, y in pixels of the photo of a place in the viewer, inside the photo.
  pixel(place) {
    const { x, y } = this.viewer.world.getItemAt(0).viewerElementToImageCoordinates(place);
    return [Math.min(Math.max(x, 0), this.size[0]), Math.min(Math.max(y, 0), this.size[1])];
  }

  holds(place) {
    const item = this.viewer.world.getItemAt(0);
    if (!item) return false;
    const { x, y } = item.viewerElementToImageCoordinates(place);
    return x >= 0 && y >= 0 && x <= this.size[0] && y <= this.size[1];
  }

  point(place, label) {
    if (this.holds(place)) this.on.point(...this.pixel(place), label);
  }

  // x, y in pixels of the canvas of x, y in pixels of the photo.
  placing() {
    const item = this.viewer.world.getItemAt(0);
    const ratio = this.canvas.width / this.canvas.clientWidth;
    const start = item.imageToViewerElementCoordinates(new OpenSeadragon.Point(0, 0));
    const end = item.imageToViewerElementCoordinates(new OpenSeadragon.Point(...this.size));
    const [scaleX, scaleY] = [(end.x - start.x) / this.size[0], (end.y - start.y) / this.size[1]];
    return (x, y) => [(start.x + x * scaleX) * ratio, (start.y + y * scaleY) * ratio];
  }

  show(scene) {
    this.scene = scene;
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    if (!this.viewer.world.getItemCount() || !this.size) return;
    const place = this.placing();
    const { objects, active, preview, opacity, outline, colour } = this.scene;
    for (const each of objects) drawMask(context, each.mask, place, each.colour, outline ? 0 : opacity, (each === active ? 2 : 1.3) * ratio);
    if (preview) drawMask(context, preview, place, colour, 0.28, ratio);
    const current = active && objects.includes(active) ? active : null;
    if (current?.box) this.frame(context, place, current.box, current.colour, ratio);
    for (const [x, y, label] of current?.points ?? []) dot(context, ...place(x, y), label, ratio);
    if (this.rubber) this.frame(context, place, this.rubber.flat(), colour, ratio);
    if (this.corner) this.frame(context, place, [...this.corner, ...this.crosshair], colour, ratio);
    if (this.crosshair) cross(context, ...place(...this.crosshair), ratio);
  }

  frame(context, place, [ax, ay, bx, by], colour, ratio) {
    const [[x0, y0], [x1, y1]] = [place(ax, ay), place(bx, by)];
    for (const [ink, dash] of [["#fff", []], [colour, [6 * ratio, 5 * ratio]]]) {
      context.setLineDash(dash);
      context.strokeStyle = ink;
      context.lineWidth = 2 * ratio;
      context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    }
    context.setLineDash([]);
  }

  moveCrosshair(dx, dy, large) {
    if (!this.size) return;
    const item = this.viewer.world.getItemAt(0);
    const step = (large ? 60 : 8) / item.viewportToImageZoom(this.viewer.viewport.getZoom(true));
    const [x, y] = this.crosshair ?? [this.size[0] / 2, this.size[1] / 2];
    this.crosshair = [Math.min(Math.max(x + dx * step, 0), this.size[0]), Math.min(Math.max(y + dy * step, 0), this.size[1])];
    this.draw();
  }

  zoom(factor) { this.viewer.viewport.zoomBy(factor).applyConstraints(); }

  fit() { this.viewer.viewport.goHome(); }
}

function dot(context, x, y, label, ratio) {
  context.beginPath();
  context.arc(x, y, 7 * ratio, 0, 7);
  context.fillStyle = label ? "#0b7a3e" : "#b3261e";
  context.strokeStyle = "#fff";
  context.lineWidth = 2 * ratio;
  context.fill();
  context.stroke();
  context.beginPath();
  context.moveTo(x - 3 * ratio, y);
  context.lineTo(x + 3 * ratio, y);
  if (label) {
    context.moveTo(x, y - 3 * ratio);
    context.lineTo(x, y + 3 * ratio);
  }
  context.stroke();
}

function cross(context, x, y, ratio) {
  for (const [ink, width] of [["#000", 4], ["#fff", 2]]) {
    context.strokeStyle = ink;
    context.lineWidth = width * ratio;
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 4 * dx * ratio, y + 4 * dy * ratio);
      context.lineTo(x + 16 * dx * ratio, y + 16 * dy * ratio);
    }
    context.stroke();
  }
}
