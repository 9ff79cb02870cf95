const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * The members of a JSON object as they are written: decoded key → text of the value, the last one
 * where a key is repeated. `text` must be an object that JSON.parse accepts: nothing is checked.
 */
export function jsonMembers(text: string): Map<string, string> {
  const members = new Map<string, string>();
  let i = text.indexOf('{') + 1;
  for (;;) {
    const open = text.indexOf('"', i);
    if (open < 0) return members;
    const close = endOfString(text, open);
    const colon = text.indexOf(':', close);
    const end = endOfValue(text, colon + 1);
    const key = JSON.parse(text.slice(open, close)) as string;
    members.set(key, text.slice(colon + 1, end).trim());
    if (text.charCodeAt(end) === CLOSE_BRACE) return members;
    i = end + 1;
  }
}

/** Index after the closing quote of the string that opens at `open`. */
function endOfString(text: string, open: number): number {
  for (let i = open + 1; ; i++) {
    const code = text.charCodeAt(i);
    if (code === BACKSLASH) i++;
    else if (code === QUOTE) return i + 1;
  }
}

/** Index of the comma or brace that ends the value which starts at or after `start`. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let i = start; ; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i) - 1;
    else if (depth === 0 && (code === COMMA || code === CLOSE_BRACE)) return i;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++;
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth--;
  }
}
