/** The function as text to paste elsewhere; every number with all its digits. */

import { sounding } from "./sums.js";

/** The sum as the arguments of `halfwave.functions.relu_sum`; a leak becomes one more, falling term each. */
export function arguments_(sum) {
  const terms = sounding(sum);
  const leaks = sum.leak ? terms.map(({ w, m, b }) => ({ w: -sum.leak * w, m: -m, b: -b })) : [];
  const all = [...terms, ...leaks];
  return {
    slopes: all.map((term) => term.m + 0),
    intercepts: all.map((term) => term.b + 0),
    weights: all.map((term) => term.w + 0),
    slope: sum.slope,
    offset: sum.offset,
  };
}

const list = (values) => `[${values.join(", ")}]`;

function asPython(sum) {
  const { slopes, intercepts, weights, slope, offset } = arguments_(sum);
  const rest = (slope ? `, slope=${slope}` : "") + (offset ? `, offset=${offset}` : "");
  return (
    "import halfwave as hw\n\n" +
    `f = hw.functions.relu_sum(${list(slopes)}, ${list(intercepts)}, weights=${list(weights)}${rest})\n`
  );
}

function asNumpy(sum) {
  const { slopes, intercepts, weights, slope, offset } = arguments_(sum);
  const product = (size, body) => `${size} * ${body}`;
  const terms = weights.map((w, k) => {
    const inside = signedSum([[slopes[k], "x"], [intercepts[k], ""]], String, product);
    return [w, `np.maximum(0, ${inside})`];
  });
  const written = signedSum([...terms, [slope, "x"], [offset, ""]], String, product, "\n        ");
  const body = slope || slopes.some(Boolean) ? written : `${written} + 0 * x`;
  return `import numpy as np\n\n\ndef f(x):\n    x = np.asarray(x, dtype=float)\n    return (\n        ${body}\n    )\n`;
}

function latexNumber(value) {
  const [mantissa, exponent] = String(value).split("e");
  return exponent ? `${mantissa} \\cdot 10^{${Number(exponent)}}` : mantissa;
}

/** A sum of [factor, body] with its signs between the terms, such as 2 x - 1; 0 if there are none. */
function signedSum(parts, number, product, between = " ") {
  const written = parts.filter(([factor]) => factor !== 0).map(([factor, body], index) => {
    const size = Math.abs(factor);
    const text = !body ? number(size) : size === 1 ? body : product(number(size), body);
    if (!index) return factor < 0 ? `-${text}` : text;
    return `${factor < 0 ? "-" : "+"} ${text}`;
  });
  return written.join(between) || "0";
}

function asLatex(sum) {
  const { slopes, intercepts, weights, slope, offset } = arguments_(sum);
  const latexSum = (parts) => signedSum(parts, latexNumber, (size, body) => `${size} ${body}`);
  const inner = (k) => latexSum([[slopes[k], "x"], [intercepts[k], ""]]);
  const terms = weights.map((w, k) => [w, `\\max\\left(0, ${inner(k)}\\right)`]);
  return `f(x) = ${latexSum([...terms, [slope, "x"], [offset, ""]])}`;
}

function asTorch(sum) {
  const { slopes, intercepts, weights, slope, offset } = arguments_(sum);
  const values = { slopes, intercepts, weights, slope, offset };
  const lines = Object.entries(values).map(([name, value]) => {
    const written = Array.isArray(value) ? list(value) : value;
    return `        self.${name} = nn.Parameter(torch.tensor(${written}, dtype=torch.float64))\n`;
  });
  return (
    "import torch\nfrom torch import nn\n\n\nclass SumOfReLUs(nn.Module):\n    def __init__(self):\n        super().__init__()\n" +
    `${lines.join("")}\n    def forward(self, x):\n` +
    "        terms = torch.relu(x.unsqueeze(-1) * self.slopes + self.intercepts)\n" +
    "        return (terms * self.weights).sum(-1) + self.slope * x + self.offset\n"
  );
}

/** The texts by the name on their button. */
export const COPIES = {
  Python: asPython,
  NumPy: asNumpy,
  torch: asTorch,
  LaTeX: asLatex,
  JSON: (sum) => `${JSON.stringify(arguments_(sum))}\n`,
};
