/** How numbers are written on the page and in texts to copy. */

/** At most `digits` significant digits with a true minus sign, for reading. */
export function shown(value, digits = 4) {
  if (value === null || !Number.isFinite(value)) return value === null ? "∞" : String(value).replace("Infinity", "∞");
  const rounded = Number(value.toPrecision(digits));
  const size = Math.abs(rounded);
  const text = size !== 0 && (size < 1e-4 || size >= 1e6) ? rounded.toExponential() : String(rounded + 0);
  return text.replaceAll("-", "−");
}

const SIGNS = { "relu(": "max(0, ", "<=": "≤", "^2": "²", "*": "·", "-": "−" };

/** A formula of the library as the page writes it. */
export function typeset(text) {
  return Object.entries(SIGNS).reduce((all, [plain, sign]) => all.replaceAll(plain, sign), text);
}

/** The number without the dust that arithmetic on decimals leaves behind. */
export function tidy(value) {
  return Number(value.toPrecision(12)) + 0;
}

/** The nearest multiple of a step that is a power of ten. */
export function snapped(value, step) {
  const places = Math.max(0, Math.min(12, Math.round(-Math.log10(step))));
  return Number((Math.round(value / step) * step).toFixed(places)) + 0;
}

/** Round places for about `count` ticks between two ends. */
export function ticks(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= raw) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => tidy((first + index) * step));
}
