/**
 * Control, format (bidi overrides, zero-width), separator and lone surrogate characters, which can
 * move a terminal's cursor or make one text look like another; and the backslash, so that an
 * escaped text has one reading.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\\]/gu;

/** Text safe to print anywhere: what could act on a terminal is written as an escape. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (char) => {
    if (char === '\\') return '\\\\';
    if (char === '\n') return '\\n';
    if (char === '\t') return '\\t';
    return `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;
  });
}

/**
 * Text over several lines, in which a backslash is nothing but one: what could act on a terminal is
 * written as an escape, all else stays as it is.
 */
export function visible(text: string): string {
  return text.replace(UNPRINTABLE, (char) =>
    char === '\\' || char === '\n' ? char : `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/**
 * Bytes safe to print: UTF-8 as `printable` text, and where they are not UTF-8 every byte beyond
 * ASCII as `\xNN`.
 * @param total how many bytes there are in all, where `bytes` are only the first: says how many are
 * left out
 */
export function printableBytes(bytes: Uint8Array, total = bytes.length): string {
  const rest = total - bytes.length;
  return decoded(bytes, rest > 0) + (rest > 0 ? `… (${String(rest)} bytes more)` : '');
}

function decoded(bytes: Uint8Array, cut: boolean): string {
  try {
    // Of a text that was cut, the last character may be incomplete: `stream` leaves it out.
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return printable(decoder.decode(bytes, { stream: cut }));
  } catch {
    return Array.from(bytes, (byte) =>
      byte < 0x80 ? printable(String.fromCharCode(byte)) : `\\x${byte.toString(16)}`,
    ).join('');
  }
}
