/**
 * Links: how numbers stand in them, and what of one a room could not read, by comparing it with the link that the
 * room would write.
 */

const CLOSE = 1e-4;

const tokensOf = (text) => text.split(/[,;]/).map((token) => token.trim()).sort();

function sameToken(one, other) {
  if (one === other) return true;
  const [a, b] = [Number(one), Number(other)];
  return one !== "" && other !== "" && Math.abs(a - b) <= CLOSE * Math.max(Math.abs(a), Math.abs(b));
}

function sameValue(given, written) {
  const [mine, theirs] = [tokensOf(given), tokensOf(written)];
  return mine.length === theirs.length && mine.every((token, index) => sameToken(token, theirs[index]));
}

/** Numbers as one entry of a link. */
export function numbersInLink(values) {
  return values.join(",").replaceAll("+", "");
}

/** The numbers of an entry, so many if a count is given; null where it is missing or holds anything else. */
export function numbersIn(text, count = null, largest = Number.MAX_VALUE) {
  const words = (text ?? "").split(",");
  const values = words.map(Number);
  const sound = values.every((value, index) => words[index].trim() !== "" && Math.abs(value) <= largest);
  return sound && (count === null || words.length === count) ? values : null;
}

/** Names of the entries of a link that came out otherwise than they were given. */
export function unreadEntries(given, written) {
  const kept = new URLSearchParams(written);
  const unread = [...new URLSearchParams(given)].filter(([name, value]) => {
    const own = kept.get(name);
    // what is as it is without a word is not written
    return own === null ? !["", "0"].includes(value) : !sameValue(value, own);
  });
  return [...new Set(unread.map(([name]) => name))];
}
