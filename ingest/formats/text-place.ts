/** Where in a source something stands: its line, and the character of that line, both from 1. */
export interface TextPlace {
  readonly line: number;
  /** Characters are code points: an emoji is one, as editors count them. */
  readonly column: number;
}

/**
 * The place of the UTF-16 unit `column` (from 1, as strings are indexed) of a text that begins with
 * line `firstLine` of its source, line ends as they stand there.
 */
export function placeIn(text: string, column: number, firstLine: number): TextPlace {
  const at = column - 1;
  let start = 0;
  let line = firstLine;
  for (let end = text.indexOf('\n'); end >= 0 && end < at; end = text.indexOf('\n', start)) {
    start = end + 1;
    line += 1;
  }
  return { line, column: Array.from(text.slice(start, at)).length + 1 };
}
