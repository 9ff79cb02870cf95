const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The text of bytes that have to be UTF-8, without a byte order mark in front: read with U+FFFD in
 * the place of others, a text would match nothing and nobody would know.
 * @throws what `refuse` gives for the line, from 1, of the first byte that is none
 */
export function utf8Text(bytes: Uint8Array, refuse: (line: number) => Error): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw refuse(lineOf(bytes));
  }
}

/** Up to the first byte that is no UTF-8, the text with U+FFFD has the same bytes. */
function lineOf(bytes: Uint8Array): number {
  const lossy = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const again = new TextEncoder().encode(lossy);
  let line = 1;
  for (let i = 0; bytes[i] === again[i]; i++) if (bytes[i] === NEWLINE) line++;
  return line;
}

const NEWLINE = 0x0a;
