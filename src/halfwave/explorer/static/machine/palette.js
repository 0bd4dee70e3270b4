/** The colours of pictures: bytes of Python become pixels in the theme that holds just now. */

const MACHINE_CATEGORIES = 8;
const MACHINE_AMINO = "ACDEFGHIKLMNPQRSTVWY";
/** Amino acids by what they are like: hydrophobic, polar, positive, negative, small, aromatic; a gap is no colour. */
const MACHINE_GROUPS = ["AVILMC", "STNQ", "KRH", "DE", "GP", "FWY"];
const MACHINE_GUESSES = { 20: MACHINE_AMINO, 21: `${MACHINE_AMINO}-`, 4: "ACGT", 5: "ACGT-" };
const MACHINE_PLAIN = "0123456789abcdefghijklmnopqrstuvwxyz";

/** One letter for each colour of a categorical site: those that were given, or a guess from their number. */
export function machineLettersOf(given, colours) {
  const letters = [...(given || MACHINE_GUESSES[colours] || MACHINE_PLAIN)];
  return Array.from({ length: colours }, (_, index) => letters[index] ?? "·");
}

/** The shades and categories as [red, green, blue], asked of the browser anew when the theme has changed. */
export class MachinePalette {
  constructor(colours) {
    this.colours = colours;
  }

  refresh() {
    if (this.version === this.colours.version) return;
    this.version = this.colours.version;
    const probe = document.createElement("span");
    this.colours.root.append(probe);
    const named = (name) => {
      probe.style.color = `var(--machine-${name})`;
      return getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
    };
    for (const name of ["off", "on", "low", "zero", "high", "mark"]) this[name] = named(name);
    this.categories = Array.from({ length: MACHINE_CATEGORIES }, (_, index) => named(`category${index}`));
    probe.remove();
    this.shades = machineTableOf((share) => machineMixed(this.off, this.on, share));
    this.signed = machineTableOf((share) => this.#diverging((share * 255 - 128) / 127));
  }

  /** Colour of each byte for sites of this kind; letters tell amino acids from other categories. */
  tableFor(kind, letters = []) {
    this.refresh();
    if (kind === "signed" || kind === "real") return this.signed;
    if (kind !== "categorical") return this.shades;
    return letters.map((letter, index) => {
      if (letter === "-") return this.off;
      const group = letters.length >= 20 ? MACHINE_GROUPS.findIndex((members) => members.includes(letter)) : -1;
      return this.categories[group < 0 ? index % MACHINE_CATEGORIES : group];
    });
  }

  #diverging(value) {
    const size = Math.min(1, Math.abs(value));
    return machineMixed(this.zero, value < 0 ? this.low : this.high, size);
  }
}

/** A colour as CSS. */
export const machineInkOf = ([red, green, blue]) => `rgb(${red}, ${green}, ${blue})`;

/** Black or white, whichever reads better on this colour. */
export function machineLetterInk([red, green, blue]) {
  return 0.3 * red + 0.59 * green + 0.11 * blue > 140 ? "#000" : "#fff";
}

/** Put bytes, row by row, on a canvas of one pixel for each. */
export function machinePaintBytes(canvas, bytes, width, height, table) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const pixels = new ImageData(width, height);
  const { data } = pixels;
  for (let index = 0; index < Math.min(bytes.length, width * height); index += 1) {
    const colour = table[bytes[index]] ?? table[0];
    data[4 * index] = colour[0];
    data[4 * index + 1] = colour[1];
    data[4 * index + 2] = colour[2];
    data[4 * index + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/** Rows of sites by colours as rows of colours by sites. */
export function machineTransposedBytes(bytes, rows, columns) {
  return bytes.map((_, index) => bytes[(index % rows) * columns + Math.floor(index / rows)]);
}

function machineMixed(from, to, share) {
  return from.map((value, index) => Math.round(value + (to[index] - value) * share));
}

function machineTableOf(colour) {
  return Array.from({ length: 256 }, (_, byte) => colour(byte / 255));
}
