const SPACES = ['', '', ' ', '\t', '\r\n', ' \n '];

/**
 * Another JSON text of the same value: escapes where none are needed, white space between tokens,
 * perhaps a byte order mark. `json` has no white space between its tokens; `seed` is any whole
 * number. No arbitraries, since it is done for millions of clicks.
 */
export function respelled(json: string, seed: number): string {
  let state = seed;
  const below = (n: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >>> 12) % n;
  };
  const space = (): string => SPACES[below(SPACES.length)]!;
  let out = below(4) === 0 ? '\ufeff' : '';
  for (const [token] of json.matchAll(TOKEN)) {
    if (token.startsWith('"')) out += below(3) > 0 ? withEscape(token, below) : token;
    else if (STRUCTURE.includes(token)) out += `${space()}${token}${space()}`;
    else out += token;
  }
  return out;
}

const STRUCTURE = '{}[]:,';
const TOKEN = /"(?:[^"\\]+|\\.)*"|[{}[\]:,]|[^"{}[\]:,]+/gs;

/**
 * A string with an escape in the place of one character, where the one chosen is not in an escape, and
 * no half of a pair: the other half would be alone, and not survive UTF-8.
 */
function withEscape(string: string, below: (n: number) => number): string {
  const at = 1 + below(string.length - 1);
  const isPlain =
    at < string.length - 1 && !/[\\\ud800-\udfff]/.test(string.slice(Math.max(0, at - 5), at + 1));
  return isPlain ? string.slice(0, at) + escaped(string[at]!) + string.slice(at + 1) : string;
}

function escaped(char: string): string {
  if (char === '/') return '\\/';
  const hex = char.charCodeAt(0).toString(16).padStart(4, '0');
  return char < 'f' ? `\\u${hex}` : `\\u${hex.toUpperCase()}`;
}
