const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const PERCENT = 0x25;

/**
 * A text with its percent encoding (RFC 3986) undone. What is no encoding, as in `100%`, stays as
 * it is; and so does the whole text if the bytes that it stands for are not UTF-8.
 */
export function percentDecoded(text: string): string {
  if (!text.includes('%')) return text;
  const bytes = Buffer.from(text);
  let end = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    const value = byte === PERCENT ? hexByte(bytes, at + 1) : undefined;
    bytes[end++] = value ?? byte;
    if (value !== undefined) at += 2;
  }
  return utf8Text(bytes.subarray(0, end)) ?? text;
}

/** The byte that two hexadecimal digits name; undefined where there are none. */
export function hexByte(bytes: Buffer, at: number): number | undefined {
  const high = hexDigit(bytes[at]);
  const low = hexDigit(bytes[at + 1]);
  return high < 0 || low < 0 ? undefined : high * 16 + low;
}

/** The text of bytes; undefined if they are not UTF-8. */
export function utf8Text(bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
