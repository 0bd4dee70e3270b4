/** Elements in one call, so that the rooms read like the page. */

/**
 * An element with attributes, listeners (`onclick` and the like) and children.
 * Attributes that are null or false are left out; strings become text, never markup.
 */
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null));
  return node;
}

/** A button with a label for those who cannot see its sign. */
export function button(text, label, onclick, attributes = {}) {
  return element("button", { type: "button", "aria-label": label, title: label, onclick, ...attributes }, text);
}

/** Set the text only where it changed: writing the same text again would lay the page out again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Show a sentence in which `code` stands between backticks. */
export function setSentence(node, text) {
  if (node.dataset.sentence === text) return;
  node.dataset.sentence = text;
  const parts = text.split("`");
  // a backtick without its partner is only a backtick
  if (parts.length % 2 === 0) parts.push(`${parts.splice(-2).join("`")}`);
  node.replaceChildren(...parts.map((part, index) => (index % 2 ? element("code", {}, part) : part)));
}

/** Show a number of a `data` element as this text, with all its digits behind it; null and undefined have none. */
export function setNumber(node, value, text) {
  setText(node, text);
  const full = value === null || value === undefined ? "" : String(value);
  if (node.value !== full) node.value = full;
}

/** Set attributes only where they changed, for the same reason. */
export function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
}

/** The element that has the focus on the page of this node, or in the shadow in which a notebook keeps it. */
export function focusNear(node) {
  return node.getRootNode().activeElement ?? null;
}

/** Put the whole text on the clipboard; where that is not allowed, show it selected instead. */
export async function copyText(text, fallback) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    fallback.textContent = text;
    getSelection().selectAllChildren(fallback);
    return false;
  }
}

/** The bytes behind base64. */
export function bytesOf(base64) {
  const characters = atob(base64);
  const bytes = new Uint8Array(characters.length);
  for (let index = 0; index < bytes.length; index += 1) bytes[index] = characters.charCodeAt(index);
  return bytes;
}

/** Hand a blob to the person as a file. */
export function download(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
