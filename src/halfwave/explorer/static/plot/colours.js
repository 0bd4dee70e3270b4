/** The colours of the style sheet as the canvas needs them, for the theme that holds just now. */

const NAMES = "ink soft line axis card sum derivative integral input term0 term1 term2 term3".split(" ");

/** How many colours terms have before they come round again; their numbers and dashes still differ. */
const TERM_COLOURS = 4;

/** The attribute by which the style sheet gives an element the colour of its term. */
export function toneOf(index) {
  return { "data-colour": String(index % TERM_COLOURS) };
}

/** Dashes of terms, by their number. */
export const TERM_DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3]];

/** The colours by name, asked of the browser anew only when the theme changes. */
export class Colours {
  constructor(root) {
    this.root = root;
    this.refresh();
  }

  refresh() {
    this.version = (this.version ?? 0) + 1;
    const probe = document.createElement("span");
    this.root.append(probe);
    for (const name of NAMES) {
      probe.style.color = `var(--${name})`;
      this[name] = getComputedStyle(probe).color;
    }
    probe.remove();
  }

  /** The colour of the term with this index. */
  term(index) {
    return this[`term${index % TERM_COLOURS}`];
  }
}
