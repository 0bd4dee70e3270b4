/** Two pens with the same strokes, so that the picture on the screen and the one in an SVG file are one. */

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/** Draws on a canvas whose unit is the CSS pixel. */
export class CanvasPen {
  constructor(context) {
    this.context = context;
  }

  clip(x, y, width, height) {
    this.context.save();
    this.context.beginPath();
    this.context.rect(x, y, width, height);
    this.context.clip();
  }

  unclip() {
    this.context.restore();
  }

  line(points, { stroke, width = 1, dash = [], alpha = 1 }) {
    const { context } = this;
    context.globalAlpha = alpha;
    context.strokeStyle = stroke;
    context.lineWidth = width;
    context.lineJoin = "round";
    context.setLineDash(dash);
    this.#trace(points);
    context.stroke();
    context.globalAlpha = 1;
  }

  fill(points, { fill, alpha = 1 }) {
    this.context.globalAlpha = alpha;
    this.context.fillStyle = fill;
    this.#trace(points);
    this.context.fill();
    this.context.globalAlpha = 1;
  }

  dot([x, y], radius, { fill, stroke, width = 2 }) {
    const { context } = this;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = fill;
    context.fill();
    context.setLineDash([]);
    context.strokeStyle = stroke;
    context.lineWidth = width;
    context.stroke();
  }

  /** Many points of one size; small ones are squares, which a canvas fills fastest. */
  points(places, radius, { fill, alpha = 1 }) {
    const { context } = this;
    context.globalAlpha = alpha;
    context.fillStyle = fill;
    for (const [x, y] of places) {
      if (radius < 2) {
        context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
        continue;
      }
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  /** A picture made before, over this width and height. */
  image(canvas, width, height) {
    this.context.drawImage(canvas, 0, 0, width, height);
  }

  /** The halo keeps a text legible where a curve passes behind it. */
  text(x, y, text, { fill, halo, align = "start", size = 12 }) {
    const { context } = this;
    context.font = `${size}px ${FONT}`;
    context.textAlign = align;
    context.textBaseline = "middle";
    context.setLineDash([]);
    context.lineWidth = 3;
    context.strokeStyle = halo;
    context.strokeText(text, x, y);
    context.fillStyle = fill;
    context.fillText(text, x, y);
  }

  #trace(points) {
    this.context.beginPath();
    points.forEach(([x, y], index) => (index ? this.context.lineTo(x, y) : this.context.moveTo(x, y)));
  }
}

const ANCHORS = { start: "start", center: "middle", end: "end" };

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

const place = (value) => Number(value.toFixed(2));

/** Writes the same strokes as SVG. */
export class SvgPen {
  #parts = [];
  #clips = 0;

  clip(x, y, width, height) {
    const id = `clip${this.#clips++}`;
    this.#parts.push(`<clipPath id="${id}"><rect x="${x}" y="${y}" width="${width}" height="${height}"/></clipPath>`);
    this.#parts.push(`<g clip-path="url(#${id})">`);
  }

  unclip() {
    this.#parts.push("</g>");
  }

  line(points, { stroke, width = 1, dash = [], alpha = 1 }) {
    const look = `stroke="${stroke}" stroke-width="${width}" stroke-opacity="${alpha}" stroke-linejoin="round"`;
    const dashed = dash.length ? ` stroke-dasharray="${dash.join(" ")}"` : "";
    this.#parts.push(`<polyline points="${this.#places(points)}" fill="none" ${look}${dashed}/>`);
  }

  fill(points, { fill, alpha = 1 }) {
    this.#parts.push(`<polygon points="${this.#places(points)}" fill="${fill}" fill-opacity="${alpha}"/>`);
  }

  dot([x, y], radius, { fill, stroke, width = 2 }) {
    const look = `fill="${fill}" stroke="${stroke}" stroke-width="${width}"`;
    this.#parts.push(`<circle cx="${place(x)}" cy="${place(y)}" r="${radius}" ${look}/>`);
  }

  points(places, radius, { fill, alpha = 1 }) {
    const look = `stroke="${fill}" stroke-opacity="${alpha}" stroke-width="${2 * radius}" stroke-linecap="round"`;
    const path = places.map(([x, y]) => `M${place(x)} ${place(y)}h0`).join("");
    this.#parts.push(`<path d="${path}" fill="none" ${look}/>`);
  }

  text(x, y, text, { fill, halo, align = "start", size = 12 }) {
    const look = `fill="${fill}" stroke="${halo}" stroke-width="3" stroke-linejoin="round" paint-order="stroke"`;
    const setting = `text-anchor="${ANCHORS[align]}" dominant-baseline="central" font-size="${size}"`;
    this.#parts.push(`<text x="${place(x)}" y="${place(y)}" ${look} ${setting}>${escaped(text)}</text>`);
  }

  /** The whole file. */
  file(width, height, background, title) {
    return (
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
      `font-family="${FONT}" role="img"><title>${escaped(title)}</title>` +
      `<rect width="${width}" height="${height}" fill="${background}"/>${this.#parts.join("\n")}</svg>\n`
    );
  }

  #places(points) {
    return points.map(([x, y]) => `${place(x)},${place(y)}`).join(" ");
  }
}
