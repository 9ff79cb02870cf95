/** A byte order mark is no character of a line. */
const BOM = /^\uFEFF/;

/**
 * The character (a code point, from 1) at which a text stops being the beginning of JSON; one behind its
 * last if it is JSON that was cut off, undefined if it is JSON. Not all messages of JSON.parse have a
 * position, and they differ between versions of Node, so the longest good beginning is searched for.
 */
export function whereNotJson(line: string): number | undefined {
  const text = line.replace(BOM, '');
  if (faultOf(text) === undefined) return undefined;
  let [good, bad] = [0, text.length + 1];
  while (good + 1 < bad) {
    const middle = (good + bad) >> 1;
    if (mayGoOn(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  return Array.from(text.slice(0, good)).length + 1;
}

/** Whether the text is JSON, or only its end is missing. */
function mayGoOn(text: string): boolean {
  const message = faultOf(text);
  if (message === undefined || message.startsWith('Unexpected end')) return true;
  const position = /at position (\d+)/.exec(message)?.[1];
  return position !== undefined && Number(position) >= text.length;
}

function faultOf(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
