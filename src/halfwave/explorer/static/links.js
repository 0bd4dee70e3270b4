/** What of a link a room could not read, by comparing it with the link that the room would write. */

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
