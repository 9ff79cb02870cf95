/** A key that an object of a JSON text has twice, and where its second place in the text begins. */
export interface RepeatedKey {
  readonly key: string;
  readonly index: number;
}

/**
 * Finds the first key that comes twice in one object, which `JSON.parse` takes without a word: the
 * last one wins. `json` is known to be JSON. Takes time linear in the text.
 */
export function repeatedKey(json: string): RepeatedKey | null {
  /** The keys of each object around the place, null for an array. */
  const around: (Set<string> | null)[] = [];
  /** Whether a string here would be a key. */
  let before = false;
  for (let i = 0; i < json.length; i++) {
    const char = json[i];
    if (char === '"') {
      const end = endOfString(json, i);
      const keys = before ? around.at(-1) : null;
      if (keys) {
        const key = JSON.parse(json.slice(i, end)) as string;
        if (keys.has(key)) return { key, index: i };
        keys.add(key);
      }
      i = end - 1;
    } else if (char === '{') around.push(new Set());
    else if (char === '[') around.push(null);
    else if (char === '}' || char === ']') around.pop();
    if (char === '{' || char === ',') before = true;
    else if (char === ':') before = false;
  }
  return null;
}

/** The index after the closing quote of the string that opens at `start`. */
function endOfString(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); ; end = json.indexOf('"', end + 1)) {
    let escapes = 0;
    while (json[end - 1 - escapes] === '\\') escapes++;
    if (escapes % 2 === 0) return end + 1;
  }
}
